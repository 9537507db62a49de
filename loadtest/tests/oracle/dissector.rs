//! tshark, asked what it reads in datagrams that are said to go to a floor port.

use std::{collections::HashMap, path::Path, process::Command};

/// The port to which the capture says that everything went; tshark is told that RTCP goes there.
const PORT: u16 = 40_003;

/// What tshark says of one datagram, by field.
pub(crate) type Row = HashMap<&'static str, String>;

/// Writes the datagrams into the capture `name` and has tshark read these fields out of it.
pub(crate) fn read_by_tshark(name: &str, fields: &[&'static str], datagrams: &[&[u8]]) -> Vec<Row> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).with_extension("pcap");
    std::fs::write(&file, capture(datagrams)).unwrap();
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(&file).arg("-d").arg(format!("udp.port=={PORT},rtcp")).args([
        "-T",
        "fields",
        "-E",
        "separator=/t",
    ]);
    fields.iter().for_each(|field| _ = tshark.args(["-e", field]));
    let output = tshark.output().unwrap();
    assert!(output.status.success(), "tshark: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let row = |line: &str| fields.iter().copied().zip(line.split('\t').map(str::to_owned)).collect();
    text.lines().map(row).collect()
}

/// A classic capture file of bare IPv4 packets, each with one UDP datagram to `PORT`.
fn capture(datagrams: &[&[u8]]) -> Vec<u8> {
    const RAW: u32 = 101;
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([2, 0, 4, 0]);
    file.extend([0; 8]);
    file.extend(65_535_u32.to_le_bytes());
    file.extend(RAW.to_le_bytes());
    for (at, datagram) in datagrams.iter().enumerate() {
        let (udp, ip) = (datagram.len() as u16 + 8, datagram.len() as u16 + 28);
        [at as u32, 0, u32::from(ip), u32::from(ip)].iter().for_each(|word| file.extend(word.to_le_bytes()));
        file.extend([0x45, 0]);
        file.extend(ip.to_be_bytes());
        file.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        [PORT - 1, PORT, udp, 0].iter().for_each(|word| file.extend(word.to_be_bytes()));
        file.extend(*datagram);
    }
    file
}

/// A number as tshark prints it: decimal or hexadecimal.
pub(crate) fn number(text: &str) -> u64 {
    let hexadecimal = text.strip_prefix("0x").map(|digits| u64::from_str_radix(digits, 16));
    hexadecimal.unwrap_or_else(|| text.parse()).unwrap_or_else(|_| panic!("tshark printed {text:?} for a number"))
}
