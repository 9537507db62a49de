//! A node in this process.

use std::net::{Ipv4Addr, SocketAddr};

use control::node::{Config, Node as Whole};

use crate::world::Failure;

/// Media workers of a node in this process: two, so that calls have different owners.
const WORKERS: usize = 2;

/// A running node: media plane, control plane and HTTP face on free ports.
pub struct Node(Whole);

impl Node {
    /// Starts a node on free ports.
    pub async fn start() -> Result<Node, Failure> {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let config = Config { system: "loadtest.example".into(), http: free, media: free, workers: WORKERS };
        Whole::start(config).await.map(Node).map_err(|error| Failure::Start(error.to_string()))
    }

    /// Where its API is.
    pub fn url(&self) -> String {
        format!("http://{}", self.0.http_addr())
    }

    /// Ends it.
    pub async fn stop(self) {
        self.0.stop().await;
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.url())
    }
}
