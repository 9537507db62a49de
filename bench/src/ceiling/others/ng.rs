//! What rtpengine is told, by its `ng` protocol: a cookie and a bencoded dictionary in a datagram, each answered by one.

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

/// How long one answer may take, and how long it may take to start.
const ANSWER: Duration = Duration::from_secs(1);
const START: Duration = Duration::from_secs(10);

/// Between two questions whether it has started: until it listens each is refused at once.
const PAUSE: Duration = Duration::from_millis(20);

/// The talker's name in the call.
const TALKER: &str = "talker";

/// Command line: foreground, no kernel module, one worker, control at `control`.
pub(super) fn arguments(control: SocketAddr) -> Vec<String> {
    let control = format!("--listen-ng={control}");
    let fixed =
        ["--foreground", "--log-stderr", "--log-level=2", "--config-file=none", "--table=-1", "--num-threads=1"];
    // Nobody talks while another contender has its turn.
    let limits = ["--timeout=3600", "--silent-timeout=3600", "--interface=127.0.0.1", "--port-min=20000"];
    let texts = fixed.iter().chain(&limits).chain(&["--port-max=29998"]);
    texts.map(|text| (*text).to_owned()).chain([control]).collect()
}

/// Speaks with one rtpengine about one call.
#[derive(Debug)]
pub(super) struct Client {
    socket: UdpSocket,
    asked: u32,
}

impl Client {
    /// Waits until it answers; `None` if it does not, or ends before.
    pub(super) fn to(control: SocketAddr, mut runs: impl FnMut() -> bool) -> Option<Client> {
        let socket = UdpSocket::bind("127.0.0.1:0").ok()?;
        socket.connect(control).ok()?;
        socket.set_read_timeout(Some(ANSWER)).ok()?;
        let mut client = Client { socket, asked: 0 };
        let deadline = Instant::now() + START;
        while runs() && Instant::now() < deadline {
            if client.ask(&[("command", "ping")]).is_some() {
                return Some(client);
            }
            std::thread::sleep(PAUSE);
        }
        None
    }

    /// The talker's packets come from `talker`. Answers where they go to.
    pub(super) fn publish(&mut self, talker: SocketAddr) -> Option<SocketAddr> {
        let sdp = description(talker, "sendonly");
        let answer =
            self.ask(&[("call-id", "bench"), ("command", "publish"), ("from-tag", TALKER), ("sdp", sdp.as_str())])?;
        entrance(&answer)
    }

    /// `target` gets the talker's packets.
    pub(super) fn subscribe(&mut self, target: SocketAddr) -> Option<()> {
        let answer = self.ask(&[("call-id", "bench"), ("command", "subscribe request"), ("from-tag", TALKER)])?;
        let tag = text(&answer, "to-tag")?;
        let sdp = description(target, "recvonly");
        self.ask(&[("call-id", "bench"), ("command", "subscribe answer"), ("sdp", sdp.as_str()), ("to-tag", tag)])?;
        Some(())
    }

    /// One question, its keys in order; the answer if it is a good one.
    fn ask(&mut self, question: &[(&str, &str)]) -> Option<String> {
        self.asked += 1;
        let cookie = format!("{} ", self.asked);
        self.socket.send(format!("{cookie}{}", dictionary(question)).as_bytes()).ok()?;
        let mut space = vec![0; 65_536];
        loop {
            let length = self.socket.recv(&mut space).ok()?;
            let answer = String::from_utf8_lossy(space.get(..length)?).into_owned();
            // What answers an earlier question came too late.
            let Some(answer) = answer.strip_prefix(&cookie) else { continue };
            return matches!(text(answer, "result"), Some("ok" | "pong")).then(|| answer.to_owned());
        }
    }
}

/// One AMR-WB stream at `address`.
fn description(address: SocketAddr, direction: &str) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 96\r\n\
         a=rtpmap:96 AMR-WB/16000\r\na=fmtp:96 octet-align=1\r\na={direction}\r\n"
    )
}

/// Where the description in an answer wants media; rtpengine was given one address, this host's own.
fn entrance(answer: &str) -> Option<SocketAddr> {
    let port = text(answer, "sdp")?.lines().find_map(|line| line.strip_prefix("m=audio "))?.split(' ').next()?;
    Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?)))
}

fn dictionary(pairs: &[(&str, &str)]) -> String {
    let string = |text: &str| format!("{}:{text}", text.len());
    format!("d{}e", pairs.iter().map(|(key, value)| string(key) + &string(value)).collect::<String>())
}

/// The text under a key of a bencoded dictionary; `None` if it is not there, or something else.
fn text<'a>(dictionary: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = dictionary.strip_prefix('d')?;
    while !rest.starts_with('e') {
        let (found, after) = string(rest)?;
        if found == key {
            return string(after).map(|(text, _)| text);
        }
        rest = skip(after)?;
    }
    None
}

fn string(bencoded: &str) -> Option<(&str, &str)> {
    let (length, rest) = bencoded.split_once(':')?;
    let length = length.parse().ok()?;
    Some((rest.get(..length)?, rest.get(length..)?))
}

/// What follows one bencoded value.
fn skip(bencoded: &str) -> Option<&str> {
    match bencoded.as_bytes().first()? {
        b'i' => Some(bencoded.split_once('e')?.1),
        b'l' | b'd' => {
            let mut rest = bencoded.get(1..)?;
            while !rest.starts_with('e') {
                rest = skip(rest)?;
            }
            rest.get(1..)
        }
        _ => string(bencoded).map(|(_, rest)| rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_behind_every_kind_of_value() {
        let answer = "d4:agesli1ei-20ee3:bitd1:ai7e1:bl1:cee4:from6:talker6:result2:ok6:to-tag3:abce";
        for (key, found) in [("result", Some("ok")), ("to-tag", Some("abc")), ("a", None), ("ages", None), ("x", None)]
        {
            assert_eq!(text(answer, key), found, "{key}");
        }
        for cut in 0..answer.len() - "6:to-tag3:abce".len() {
            assert_eq!(text(&answer[..cut], "to-tag"), None, "{cut}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let sdp = description("127.1.0.9:4000".parse().expect("an address"), "recvonly");
        let written = dictionary(&[("command", "subscribe answer"), ("sdp", &sdp)]);
        assert!(written.starts_with("d7:command16:subscribe answer3:sdp"));
        assert_eq!(text(&written, "sdp"), Some(sdp.as_str()));
        assert_eq!(entrance(&written), Some("127.0.0.1:4000".parse().expect("an address")));
    }
}
