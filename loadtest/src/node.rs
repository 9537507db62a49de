//! A node in this process.

use std::net::{Ipv4Addr, SocketAddr};

use control::node::{Config, Node as Whole};

use crate::world::Failure;

/// Media workers of a node in this process: two, so that calls have different owners.
const WORKERS: usize = 2;

/// A running node: media plane, control plane and HTTP face on free ports.
pub struct Node {
    whole: Whole,
    /// What the node stores; it goes with the node.
    _data: tempfile::TempDir,
}

impl Node {
    /// Starts a node on free ports.
    pub async fn start() -> Result<Node, Failure> {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let data = tempfile::tempdir().map_err(|error| Failure::Start(format!("no data directory: {error}")))?;
        let config = Config {
            system: "loadtest.example".into(),
            http: free,
            media: free,
            workers: WORKERS,
            data: data.path().to_owned(),
            trunk: None,
        };
        let whole = Whole::start(config).await.map_err(|error| Failure::Start(error.to_string()))?;
        Ok(Node { whole, _data: data })
    }

    /// Where its API is.
    pub fn url(&self) -> String {
        format!("http://{}", self.whole.http_addr())
    }

    /// Ends it.
    pub async fn stop(self) {
        self.whole.stop().await;
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.url())
    }
}
