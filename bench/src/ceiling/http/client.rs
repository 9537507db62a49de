//! The smallest HTTP/1.1 client that keeps its connection: what it costs must not be what is measured.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// After this long without an answer a node is taken to be stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// One kept-alive connection. Requests are answered in order, so the next may be sent before the last is answered.
pub(super) struct Client {
    stream: TcpStream,
    host: SocketAddr,
    /// What came and was not taken yet.
    received: Vec<u8>,
}

/// An answer: its status and its body.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Client {
    pub(super) fn connect(host: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Client { stream, host, received: Vec::new() })
    }

    /// The bytes of a request.
    pub(super) fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let (host, length) = (self.host, body.len());
        let head = format!("host: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}");
        format!("{method} {path} HTTP/1.1\r\n{head}\r\n\r\n{body}").into_bytes()
    }

    pub(super) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request)
    }

    /// Waits for the next answer.
    pub(super) fn receive(&mut self) -> io::Result<Answer> {
        let mut space = [0u8; 64 << 10];
        loop {
            if let Some(answer) = self.take()? {
                return Ok(answer);
            }
            match self.stream.read(&mut space)? {
                0 => return Err(io::Error::other("the node closed the connection")),
                length => self.received.extend_from_slice(&space[..length]),
            }
        }
    }

    /// Asks, and expects `status`.
    pub(super) fn ask(&mut self, method: &str, path: &str, body: &str, status: u16) -> io::Result<Vec<u8>> {
        let request = self.request(method, path, body);
        self.send(&request)?;
        self.receive()?.expect(status)
    }

    fn take(&mut self) -> io::Result<Option<Answer>> {
        let Some(head) = self.received.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let text = String::from_utf8_lossy(&self.received[..head]);
        let malformed = || io::Error::other(format!("no HTTP answer: {text}"));
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(malformed)?;
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then_some(value.trim())
        });
        let length: usize = length.unwrap_or("0").parse().map_err(|_| malformed())?;
        let (begin, end) = (head + 4, head + 4 + length);
        if self.received.len() < end {
            return Ok(None);
        }
        let body = self.received[begin..end].to_vec();
        self.received.drain(..end);
        Ok(Some(Answer { status, body }))
    }
}

impl Answer {
    /// The body, if the status is this one.
    pub(super) fn expect(self, status: u16) -> io::Result<Vec<u8>> {
        match self.status == status {
            true => Ok(self.body),
            false => Err(io::Error::other(format!(
                "the node answered {} where {status} belongs: {}",
                self.status,
                String::from_utf8_lossy(&self.body)
            ))),
        }
    }
}
