//! The real world: a node over HTTP and UDP, in this process or elsewhere on this machine.

use relay_core::{Millis, Time};
use serde_json::json;
use tokio::{runtime::Runtime, sync::mpsc, task::JoinHandle};

use crate::{
    caller::{Caller, Ground, Who},
    contract::{Record, Terms},
    http::{Api, segment},
    node::Node,
    scenario::late_entry::{Entrant, Plan},
    speech::Speech,
    truth::Truth,
    world::{Failure, Outcome, World},
};

/// How long a packet may be on its way on a busy machine, and how late a caller may look at it.
const SLACK: Millis = Millis(60);

/// What a group gives a caller without resume points.
const ENTRY: Millis = Millis(200);

/// From the early participants' entry to the start of the plan.
const SETTLE: Millis = Millis(100);

/// A world of sockets.
#[derive(Debug)]
pub struct Real {
    runtime: Runtime,
    url: String,
    /// The node, if it runs in this process.
    node: Option<Node>,
}

/// A caller's task: what it went through, or what the machine did not give it.
type Task = JoinHandle<Result<Caller, Failure>>;

impl Real {
    /// A node in this process: every port from the system, nothing kept.
    pub fn in_process() -> Result<Real, Failure> {
        let runtime = runtime()?;
        let node = runtime.block_on(Node::start())?;
        Ok(Real { runtime, url: node.url(), node: Some(node) })
    }

    /// A node that runs at `url`, such as `http://127.0.0.1:8080`.
    pub fn at(url: &str) -> Result<Real, Failure> {
        Ok(Real { runtime: runtime()?, url: url.into(), node: None })
    }

    /// Ends the node, if it runs in this process.
    pub fn stop(self) {
        if let Some(node) = self.node {
            self.runtime.block_on(node.stop());
        }
    }
}

impl World for Real {
    fn play(&mut self, plan: &Plan) -> Result<Outcome, Failure> {
        self.runtime.block_on(play(&self.url, plan))
    }

    fn terms(&self, plan: &Plan) -> Terms {
        Terms { retention: plan.options.retention, entry: ENTRY, slack: SLACK }
    }
}

async fn play(url: &str, plan: &Plan) -> Result<Outcome, Failure> {
    let ground = Ground::begin();
    let api = Api::new(url);
    let group = format!("sip:loadtest-{}@loadtest.example", plan.options.seed);
    let document = json!({
        "model": "chat", "open": true,
        "media": {"retention_ms": plan.options.retention.0, "entry_ms": ENTRY.0},
    });
    let path = format!("/v1/groups/{}", segment(&group));
    refuse("the group", api.put(&path, &document).await)?;

    let mut call = None;
    let mut early = Vec::new();
    for (at, sequence) in plan.early.iter().enumerate() {
        let who = Who {
            user: plan.user(at),
            name: plan.name(at),
            sequence: *sequence,
            talks: true,
            acknowledges: true,
            one_port: false,
        };
        let mut caller = Caller::open(ground.clone(), url, who).await?;
        let entered = caller.enter(&format!("{path}/calls"), Vec::new()).await?;
        let Some(entered) = entered else {
            let how = caller.into_record().0.answer.err().unwrap_or_default();
            return Err(Failure::Refused { what: "an early participant".into(), how });
        };
        call.get_or_insert(entered);
        early.push(caller);
    }
    let call = format!("/v1/calls/{}", segment(&call.unwrap_or_default()));

    let begin = ground.now() + SETTLE;
    let until = begin + plan.end;
    let mut talkers = Vec::new();
    let early: Vec<Task> = early.into_iter().map(|caller| spawn_early(caller, until, &mut talkers)).collect();
    let late: Vec<Task> = (0..plan.entrants.len())
        .map(|at| tokio::spawn(enter_late(ground.clone(), url.to_owned(), call.clone(), plan.clone(), at, begin)))
        .collect();
    for turn in &plan.turns {
        ground.sleep_until(begin + turn.at).await;
        let talker = talkers.get(turn.talker).zip(Speech::burst(turn.burst));
        if let Some((talker, speech)) = talker {
            // A talker that is gone has a reason, which its task tells below.
            let _ = talker.send(speech).await;
        }
    }
    let (early, late) = (gather(early).await?, gather(late).await?);
    refuse("to end the call", api.delete(&call).await)?;
    let truth: Truth = ground.with_truth(std::mem::take);
    Ok(Outcome { truth, entrants: late, early })
}

fn spawn_early(mut caller: Caller, until: Time, talkers: &mut Vec<mpsc::Sender<Speech<'static>>>) -> Task {
    let (talk, orders) = mpsc::channel(1);
    talkers.push(talk);
    tokio::spawn(async move { caller.stay(orders, until).await.map(|()| caller) })
}

async fn enter_late(
    ground: Ground,
    url: String,
    call: String,
    plan: Plan,
    at: usize,
    begin: Time,
) -> Result<Caller, Failure> {
    let number = plan.early.len() + at;
    let Some(&Entrant { at, wish, one_port, acknowledges, .. }) = plan.entrants.get(at) else {
        unreachable!("a task is made for each entrant");
    };
    let (user, name) = (plan.user(number), plan.name(number));
    let who = Who { user, name, sequence: 0, talks: false, acknowledges, one_port };
    let mut caller = Caller::open(ground.clone(), &url, who).await?;
    ground.sleep_until(begin + at).await;
    let now = ground.now();
    let resume = ground.with_truth(|truth| wish.points(truth, plan.options.retention, now));
    let entered = caller.enter(&format!("{call}/participants"), resume).await?;
    if entered.is_some() {
        let (_, orders) = mpsc::channel(1);
        caller.stay(orders, begin + plan.end).await?;
    }
    Ok(caller)
}

async fn gather(tasks: Vec<Task>) -> Result<Vec<Record>, Failure> {
    let mut records = Vec::new();
    for (talker, task) in tasks.into_iter().enumerate() {
        let caller = task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        let (record, failed) = caller.into_record();
        if let Some(how) = failed {
            return Err(Failure::Talker { talker, how });
        }
        records.push(record);
    }
    Ok(records)
}

fn refuse<T>(what: &str, answer: Result<T, crate::http::Failure>) -> Result<T, Failure> {
    answer.map_err(|error| Failure::Refused { what: what.into(), how: error.to_string() })
}

fn runtime() -> Result<Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.map_err(|source| Failure::System { what: "a runtime", source })
}
