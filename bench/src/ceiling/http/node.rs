//! A node as its operator runs it: a process of its own, on one core.

use std::{
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::raw::pin;

/// A running node; it ends with this value, and what it stored goes too.
pub(super) struct Node {
    child: Child,
    data: PathBuf,
    http: SocketAddr,
}

impl Node {
    /// Starts `control`, which stands beside this program, on core 0.
    pub(super) fn start() -> io::Result<Node> {
        let program = std::env::current_exe()?.with_file_name("control");
        if !program.exists() {
            let advice = "it is built by `cargo build --release -p control`";
            return Err(io::Error::other(format!("{} is not there; {advice}", program.display())));
        }
        let data = std::env::temp_dir().join(format!("carryover-bench-{}", std::process::id()));
        // A process runs where the thread runs that starts it.
        pin(0);
        let child = Command::new(program)
            .args(["serve", "--open", "--workers", "1", "--system", "bench.example"])
            .args(["--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--data"])
            .arg(&data)
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .spawn();
        pin(1);
        let mut node = Node { child: child?, data, http: SocketAddr::from(([127, 0, 0, 1], 0)) };
        node.http = node.listen()?;
        Ok(node)
    }

    pub(super) fn http(&self) -> SocketAddr {
        self.http
    }

    /// Reads its log until it serves; the rest is read and forgotten, so that it never waits for a reader.
    fn listen(&mut self) -> io::Result<SocketAddr> {
        let ended = || io::Error::other("the node ended before it served");
        let mut lines = BufReader::new(self.child.stderr.take().ok_or_else(ended)?).lines();
        let address = loop {
            let line = lines.next().ok_or_else(ended)??;
            let address = line.split("serving HTTP on http://").nth(1).and_then(|rest| rest.split(',').next());
            if let Some(address) = address {
                break address.parse().map_err(|_| io::Error::other(format!("no address in: {line}")))?;
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        Ok(address)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
        _ = std::fs::remove_dir_all(&self.data);
    }
}
