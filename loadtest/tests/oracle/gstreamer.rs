//! GStreamer talks AMR-WB to a node and hears it from a node: a late participant decodes what a fresh decoder makes of the
//! talker's frames from the same packet on.

use std::{
    io::{BufRead, BufReader, Read},
    net::UdpSocket,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use relay_core::rtp;
use serde_json::json;

use crate::{
    handset::{Handset, PATIENCE, socket},
    node::{self, address, ssrc},
    program,
};

/// RFC 4867 §5: what a file of AMR-WB frames begins with.
const MAGIC: &[u8] = b"#!AMR-WB\n";

/// Samples of 16 bits in one frame of 20 ms.
const FRAME_OCTETS: usize = 320 * 2;

const RTP_CAPS: &str = "caps=application/x-rtp,media=audio,clock-rate=16000,encoding-name=AMR-WB,\
                        encoding-params=(string)1,octet-align=(string)1,payload=96";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_late_participant_decodes_what_a_fresh_decoder_makes_of_the_same_frames() {
    let elements = ["amrparse", "rtpamrpay", "rtpamrdepay", "amrwbdec", "udpsrc", "audioconvert"];
    if !elements.iter().all(|element| program::there("gst-inspect-1.0", &["--exists", element])) {
        return;
    }
    let (node, api) = node::start(&json!({"hang_time_s": 0})).await;
    let early = Handset::enter(&api, "ben", &json!({}));
    let leg = |port: u16| json!({"rtp": format!("127.0.0.1:{port}")});
    let port = free_port();
    let ana = api.enter("ana", &leg(port));
    let mut late = Hearing::start();
    assert_eq!(api.request(&ana)["result"], "granted");

    let speech = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/burst-2.awb");
    let file = std::fs::read(&speech).unwrap();
    let mut talking = talk(&speech, port, ssrc(&ana["leg"]["audio_ssrc"]), address(&ana["leg"]["rtp"]).port());
    let total = (file.len() - MAGIC.len()) / 61;
    let mut heard = Vec::new();
    hear(&early.rtp, &mut heard, total / 3);
    let eva = api.enter("eva", &leg(late.port));
    hear(&early.rtp, &mut heard, total);
    assert!(talking.wait().unwrap().success());
    let frames = |from: usize| heard[from..].iter().flat_map(|(_, frame)| frame.clone()).collect::<Vec<u8>>();
    assert!(frames(0) == file[MAGIC.len()..], "the early participant hears the talker's frames");

    let resumed_from = eva["late_entry"]["media"][0]["resumed_from"].as_u64().expect("a burst is running");
    let first = heard.iter().position(|(sequence, _)| *sequence == resumed_from as u16).unwrap();
    assert!(first > 0 && first < total / 3, "eva hears from frame {first} on, which came before she did");
    let samples = late.samples((total - first) * FRAME_OCTETS);
    assert!(samples == decode(&frames(first)), "what eva hears is what a fresh decoder makes of these frames");
    assert!(samples[FRAME_OCTETS..] != decode(&frames(first + 1)), "and not what it makes of one frame fewer");
    node.stop().await;
}

/// Receives until `count` packets were heard: RTP sequence number, and the frame as a file has it.
fn hear(socket: &UdpSocket, heard: &mut Vec<(u16, Vec<u8>)>, count: usize) {
    let mut datagram = [0; 2048];
    while heard.len() < count {
        let length = socket.recv(&mut datagram).expect("the talker's packets come");
        let packet = rtp::Packet::parse(&datagram[..length]).unwrap();
        // RFC 4867 §4.4: the first octet is a mode request, then stand the table of contents and the frame.
        heard.push((packet.sequence(), packet.payload()[1..].to_vec()));
    }
}

/// A talker: plays `file` in real time from its leg's port.
fn talk(file: &Path, from: u16, ssrc: u32, to: u16) -> Child {
    let mut gst = Command::new("gst-launch-1.0");
    gst.arg("-q").arg("filesrc").arg(format!("location={}", file.display())).args([
        "!",
        "amrparse",
        "!",
        "rtpamrpay",
        "pt=96",
    ]);
    gst.arg(format!("ssrc={ssrc}")).args(["!", "udpsink", "host=127.0.0.1", "bind-address=127.0.0.1"]);
    gst.arg(format!("port={to}")).arg(format!("bind-port={from}")).stdin(Stdio::null()).spawn().unwrap()
}

/// A participant that listens. Its samples come out of a pipe, its messages do not.
struct Hearing {
    gst: Child,
    port: u16,
}

impl Hearing {
    /// Answers once its socket is open.
    fn start() -> Hearing {
        let port = free_port();
        let pipeline = format!(
            "exec gst-launch-1.0 udpsrc address=127.0.0.1 port={port} '{RTP_CAPS}' ! rtpamrdepay ! amrwbdec \
             ! audioconvert ! audio/x-raw,format=S16LE ! fdsink fd=3 sync=false 3>&1 1>&2"
        );
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(pipeline).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut gst = shell.spawn().unwrap();
        let mut messages = BufReader::new(gst.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(messages.any(|line| line.contains("PLAYING")), "GStreamer opens its socket");
        std::thread::spawn(move || messages.for_each(drop));
        Hearing { gst, port }
    }

    /// Waits for so many octets of samples.
    fn samples(&mut self, length: usize) -> Vec<u8> {
        let (heard, hearing) = mpsc::channel();
        let mut pipe = self.gst.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut samples = vec![0; length];
            _ = heard.send(pipe.read_exact(&mut samples).map(|()| samples));
        });
        hearing.recv_timeout(PATIENCE).expect("as many samples come as frames were sent").unwrap()
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        // If it has ended by itself there is nothing to end, and nobody would hear about it here.
        _ = self.gst.kill();
        _ = self.gst.wait();
    }
}

/// What a fresh decoder makes of frames.
fn decode(frames: &[u8]) -> Vec<u8> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("frames.awb");
    std::fs::write(&file, [MAGIC, frames].concat()).unwrap();
    let mut gst = Command::new("gst-launch-1.0");
    gst.arg("-q").arg("filesrc").arg(format!("location={}", file.display()));
    gst.args(["!", "amrparse", "!", "amrwbdec", "!", "audioconvert", "!", "audio/x-raw,format=S16LE", "!", "fdsink"]);
    let output = gst.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "GStreamer: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A port that was free a moment ago: GStreamer cannot be handed a socket, nor says which port it got.
fn free_port() -> u16 {
    socket().local_addr().unwrap().port()
}
