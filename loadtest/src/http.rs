//! A small HTTP/1.1 client for JSON: one kept connection per caller, so that asking costs one round trip.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, body::Bytes, header::CONTENT_TYPE};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use thiserror::Error;

/// After this long without an answer a node is taken to be stuck. A node answers an entry within 2 s whatever happens.
const PATIENCE: Duration = Duration::from_secs(5);

/// One caller's way to the node's API.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

/// Why an answer is not what was wanted.
#[derive(Debug, Error)]
pub enum Failure {
    /// The node could not be asked.
    #[error("{url}: {how}; is a node running there?")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why it could not be.
        how: String,
    },
    /// The node said no.
    #[error("{status} {code}: {detail}")]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// The stable word of the problem.
        code: String,
        /// The problem in words.
        detail: String,
    },
    /// The answer is no JSON.
    #[error("{url} answered something that is no JSON: {source}")]
    Malformed {
        /// What was asked.
        url: String,
        /// Where it stops being JSON.
        source: serde_json::Error,
    },
}

impl Api {
    /// A client of the node at `base`, such as `http://127.0.0.1:8080`.
    pub fn new(base: &str) -> Api {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Api { client, base: base.trim_end_matches('/').into() }
    }

    /// Asks whether the node serves; opens the connection that later questions use.
    pub async fn greet(&self) -> Result<(), Failure> {
        self.ask(Method::GET, "/healthz", None).await.map(drop)
    }

    /// Reads a document.
    pub async fn read(&self, path: &str) -> Result<Value, Failure> {
        self.ask_json(Method::GET, path, None).await
    }

    /// Puts a document.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask_json(Method::PUT, path, Some(body)).await
    }

    /// Posts a document.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask_json(Method::POST, path, Some(body)).await
    }

    /// Deletes what is at `path`.
    pub async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.ask(Method::DELETE, path, None).await.map(drop)
    }

    async fn ask_json(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let bytes = self.ask(method, path, body).await?;
        serde_json::from_slice(&bytes).map_err(|source| Failure::Malformed { url: self.url(path), source })
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Bytes, Failure> {
        let url = self.url(path);
        let unreachable = |how: String| Failure::Unreachable { url: url.clone(), how };
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder().method(method).uri(&url).header(CONTENT_TYPE, "application/json");
        let request = request.body(Full::from(body)).map_err(|error| unreachable(error.to_string()))?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| unreachable(error.to_string()))?;
            let status = response.status();
            let bytes = response.into_body().collect().await.map_err(|error| unreachable(error.to_string()))?;
            if status.is_success() { Ok(bytes.to_bytes()) } else { Err(refused(status, &bytes.to_bytes())) }
        };
        let late = |_| unreachable(format!("no answer in {} s", PATIENCE.as_secs()));
        tokio::time::timeout(PATIENCE, exchange).await.map_err(late)?
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// An id as one segment of a path (RFC 3986 §2.1).
pub fn segment(id: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    id.bytes().map(encode).collect()
}

fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let word = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    Failure::Refused { status, code: word("code"), detail: word("detail") }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_id_is_one_segment_of_a_path() {
        assert_eq!(super::segment("sip:fire-1@a.example/x y"), "sip%3Afire-1%40a.example%2Fx%20y");
    }
}
