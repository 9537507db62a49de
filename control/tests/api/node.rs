//! The node itself.

use std::time::Duration;

use serde_json::json;

use super::client::{Client, GROUP, Stage};

#[test]
fn the_node_tells_what_it_is() {
    let stage = Stage::new();
    assert_eq!(stage.get("/healthz").status, 200);
    assert_eq!(stage.get("/readyz").status, 200);
    let system = stage.get("/v1/system").body;
    assert_eq!((&system["system"], &system["workers"]), (&json!("a.example"), &json!(2)));
    assert!(system["media"][0].as_str().unwrap().starts_with("127.0.0.1:"));
    for limit in ["calls", "groups", "participants", "worker.mail", "floor.messages_per_s", "resume"] {
        assert!(system["limits"][limit]["value"].as_u64().is_some_and(|value| value > 0), "{limit}");
    }
    let metrics = stage.get("/metrics");
    for (limit, shown) in system["limits"].as_object().unwrap() {
        let counter = shown["counter"].as_str().unwrap();
        assert!(metrics.body.as_str().unwrap().contains(&format!("\n{counter}")), "{limit}: {counter} is not counted");
    }
    assert!(metrics.head.contains("text/plain"));
    let text = metrics.body.as_str().unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let bare = name.split('{').next().unwrap();
        assert!(bare.starts_with("carryover_") && value.parse::<f64>().is_ok(), "{line}");
        assert!(text.contains(&format!("# HELP {bare} ")) && text.contains(&format!("# TYPE {bare} ")), "{line}");
    }
}

#[test]
fn a_draining_node_takes_nothing_new_and_lets_calls_go_on() {
    let stage = Stage::new();
    let (ana, ben) = (Client::new(), Client::new());
    let started = stage.start("sip:ana@a", &ana);
    std::thread::scope(|scope| {
        scope.spawn(|| stage.drain(Duration::from_secs(60)));
        while stage.get("/readyz").status == 200 {}
        assert_eq!(stage.get("/readyz").body["reasons"], json!(["draining"]));
        stage.start("sip:ben@a", &ben).is_problem(503, "draining");
        let enter = stage.post(&format!("{}/participants", started.call()), ben.body("sip:ben@a"));
        enter.is_problem(503, "draining");
        assert_eq!(stage.get(&started.call()).status, 200, "the running call goes on");
        let moved = Client::new();
        assert_eq!(stage.start("sip:ana@a", &moved).status, 200, "who takes part may change its leg");
        let back = stage.post(&format!("{}/participants", started.call()), ana.body("sip:ana@a"));
        assert_eq!((back.status, back.participant()), (200, started.participant()));
        assert_eq!(stage.delete(&started.call()).status, 204);
    });
    stage.drain(Duration::ZERO);
}

#[test]
fn a_drain_that_lasts_too_long_releases_the_calls() {
    let stage = Stage::new();
    let started = stage.start("sip:ana@a", &Client::new());
    stage.drain(Duration::from_millis(1));
    stage.get(&started.call()).is_problem(410, "call-ended");
}

/// Every path and method of the document is served, and what is served stands in the document.
#[test]
fn the_document_names_what_there_is() {
    let stage = Stage::new();
    let document = stage.get("/openapi.json").body;
    let mut named = vec![];
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            let concrete = path
                .replace("{group}", "sip%3Afire-1%40a.example")
                .replace("{call}", "1")
                .replace("{participant}", "1")
                .replace("{user}", "sip%3Aana%40a")
                .replace("{system}", "b.example")
                .replace("{authorization}", "1")
                .replace("{affiliation}", "1")
                .replace("{migration}", "1");
            let headers = [("content-type", "application/json")];
            let answer = stage.ask(&method.to_uppercase(), &concrete, &headers, Some("{\"model\":\"chat\"}"));
            let code = answer.body["code"].as_str().unwrap_or("");
            assert!(!["not-found", "not-yet", "method-not-allowed"].contains(&code), "{method} {path}: {answer:?}");
            named.push(format!("{method} {path}"));
        }
    }
    let served = [
        "get /healthz",
        "get /readyz",
        "get /metrics",
        "get /openapi.json",
        "get /v1/system",
        "get /v1/groups",
        "put /v1/groups/{group}",
        "get /v1/groups/{group}",
        "delete /v1/groups/{group}",
        "post /v1/groups/{group}/calls",
        "get /v1/calls",
        "get /v1/calls/{call}",
        "delete /v1/calls/{call}",
        "patch /v1/calls/{call}",
        "post /v1/calls/{call}/participants",
        "get /v1/calls/{call}/participants",
        "delete /v1/calls/{call}/participants/{participant}",
        "put /v1/calls/{call}/participants/{participant}/leg",
        "post /v1/calls/{call}/participants/{participant}/floor",
        "put /v1/users/{user}",
        "get /v1/users/{user}",
        "delete /v1/users/{user}",
        "put /v1/partners/{system}",
        "get /v1/partners/{system}",
        "delete /v1/partners/{system}",
        "post /v1/authorizations",
        "delete /v1/authorizations/{authorization}",
        "post /v1/affiliations",
        "get /v1/affiliations/{affiliation}",
        "put /v1/affiliations/{affiliation}",
        "delete /v1/affiliations/{affiliation}",
        "post /v1/migrations",
        "get /v1/migrations/{migration}",
    ];
    let missing: Vec<_> = served.iter().filter(|path| !named.contains(&(**path).to_owned())).collect();
    assert!(missing.is_empty(), "not in the document: {missing:?} ({GROUP})");
    assert_eq!(named.len(), served.len());
}
