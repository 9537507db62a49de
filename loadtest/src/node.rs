//! A node in this process.

use crate::world::Failure;

/// A running node.
#[derive(Debug)]
pub struct Node;

impl Node {
    /// Starts a node on free ports.
    pub async fn start() -> Result<Node, Failure> {
        Err(Failure::Start("this build has no node to start; name a running one with --node".into()))
    }

    /// Where its API is.
    pub fn url(&self) -> String {
        String::new()
    }

    /// Ends it.
    pub async fn stop(self) {}
}
