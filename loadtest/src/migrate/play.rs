//! Plays a plan on two nodes.

use std::sync::Arc;

use relay_core::{Millis, Time};
use serde_json::json;
use tokio::{
    runtime::Runtime,
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::{
    field::{Field, GROUPS, refused},
    judge::{Break, Promise, Terms, judge},
    nodes::Nodes,
    paired,
    plan::{LENGTH_MAX, Plan, System},
    record::{Record, Stay},
    report::{Report, Row},
    user::{CLIENT, Client, RETENTION, Story},
};
use crate::{
    answer::ResumePoint,
    caller::{Caller, Who},
    http::segment,
    speech::Speech,
    world::Failure,
};

/// How long a packet may be on its way on a busy machine, and how late a participant may look at it.
const SLACK: Millis = Millis(100);

/// From the last thing that happens to the end: everything that was said has come.
const SETTLE: Millis = Millis(700);

/// From the end of the talkers' burst to the words of a user that has moved.
const PAUSE: Millis = Millis(300);

/// What the user that has moved says: burst 2, three seconds.
const WORDS: usize = 2;

/// In which group it does: one that A defines, from B.
const WORDS_GROUP: usize = 0;

/// A talker: it stays in the home of its group and talks until it is told to stop.
struct Talker {
    say: mpsc::Sender<Speech<'static>>,
    task: JoinHandle<Result<Caller, Failure>>,
}

/// Plays the plan, and judges everybody.
pub fn play(nodes: &mut Nodes, plan: &Plan) -> Result<Report, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime: Runtime = built.map_err(|source| Failure::System { what: "a runtime", source })?;
    let played = runtime.block_on(run(nodes, plan));
    // A node that is gone explains more than a question that it did not answer.
    match (played, nodes.ended()) {
        (Err(_), Some(how)) => Err(Failure::Start(how)),
        (played, _) => played,
    }
}

async fn run(nodes: &Nodes, plan: &Plan) -> Result<Report, Failure> {
    let field = Field::prepare(nodes, plan).await?;
    let (stop, stopped) = watch::channel(false);
    let mut talkers = Vec::new();
    for group in 0..GROUPS {
        talkers.push(Talker::begin(&field, group, &stopped).await?);
    }
    let mut staying = Vec::new();
    for system in [System::A, System::B] {
        let mut client = Client::new(field.clone(), 0, field.listening(system), system);
        client.begin().await?;
        staying.push(client);
    }
    // Nobody is given the floor alone. Moves may last longer than planned; the talkers are stopped in any case.
    for talker in &talkers {
        talker.say(Speech::endless(plan.end.0 * 2 + 60_000)).await;
    }
    let mut movers = Vec::new();
    for number in 0..plan.options.users {
        let mut client = Client::new(field.clone(), number, field.mover(number), System::A);
        client.begin().await?;
        movers.push(client);
    }
    let (arrived, travelling) = watch::channel(false);
    let (carried, chat) = (field.groups[WORDS_GROUP].clone(), field.chat().clone());
    let pairs = tokio::spawn({
        let field = field.clone();
        async move { paired::measure(&field, &carried, &chat, travelling).await }
    });
    let movers = travel(&field, plan, movers).await?;
    arrived.send_replace(true);
    let pairs = pairs.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;

    // Everybody is in B. The talkers stop, and the first user that moved says something in a group that A defines.
    for talker in &talkers {
        talker.say(Speech::nothing()).await;
    }
    let clock = &field.groups[0].ground;
    clock.sleep_until(field.now() + PAUSE).await;
    let words = Speech::burst(WORDS).expect("there are five bursts");
    if let Some(first) = movers.first() {
        first.say(WORDS_GROUP, words).await;
    }
    clock.sleep_until(field.now() + Millis(words.length_ms()) + SETTLE).await;

    let mut tally = Tally::new(&field);
    tally.judge_words(plan);
    for (number, mover) in movers.into_iter().enumerate() {
        tally.add(format!("mover-{number}"), field.mover(number), true, mover.end().await?);
    }
    for (client, system) in staying.into_iter().zip([System::A, System::B]) {
        tally.add(format!("stays-in-{system}"), field.listening(system), false, client.end().await?);
    }
    stop.send_replace(true);
    for (group, talker) in talkers.into_iter().enumerate() {
        tally.add_talker(group, talker).await?;
    }
    Ok(Report::new(plan.options.seed, tally.journeys, tally.rows, &pairs, tally.others))
}

/// Everybody goes where the plan says, when it says so.
async fn travel(field: &Arc<Field>, plan: &Plan, movers: Vec<Client>) -> Result<Vec<Client>, Failure> {
    let begin = field.now();
    let mut tasks = Vec::new();
    for (number, mut client) in movers.into_iter().enumerate() {
        let (moves, end) = (plan.moves[number].clone(), begin + plan.end);
        tasks.push(tokio::spawn(async move {
            for movement in moves {
                client.rest_until(begin + movement.at).await;
                client.go(movement.to, Plan::driver(number)).await?;
            }
            client.rest_until(end).await;
            Ok::<Client, Failure>(client)
        }));
    }
    let mut arrived = Vec::new();
    for task in tasks {
        arrived.push(task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?);
    }
    Ok(arrived)
}

impl Talker {
    async fn begin(field: &Field, group: usize, stopped: &watch::Receiver<bool>) -> Result<Talker, Failure> {
        let user = field.talker(group);
        let home = field.groups[group].home;
        let body = json!({"user": user, "client": CLIENT, "profile": super::field::PROFILE});
        refused("a talker its authorization", field.api(home).post("/v1/authorizations", &body).await)?;
        // Without a leg: it starts the call by itself.
        let groups = json!([{"group": field.groups[group].id}]);
        let body = json!({"user": user, "client": CLIENT, "groups": groups, "expires_s": super::field::EXPIRES_S});
        refused("a talker its affiliation", field.api(home).post("/v1/affiliations", &body).await)?;
        let who = Who {
            user: user.as_str().into(),
            name: CLIENT.into(),
            // The numbers wrap within the first second.
            sequence: u16::MAX - 30,
            talks: true,
            acknowledges: true,
            one_port: true,
        };
        let ground = field.groups[group].ground.clone();
        let mut caller = Caller::open(ground, &field.urls[home.index()], who).await?;
        let path = format!("/v1/groups/{}/calls", segment(&field.groups[group].id));
        if caller.enter(&path, Vec::<ResumePoint>::new()).await?.is_none() {
            let how = caller.into_record().0.answer.err().unwrap_or_default();
            return Err(Failure::Refused { what: "a talker its call".into(), how });
        }
        let (say, orders) = mpsc::channel(2);
        let mut stopped = stopped.clone();
        let end = Time::ZERO + LENGTH_MAX + LENGTH_MAX;
        let task = tokio::spawn(async move {
            tokio::select! {
                stayed = caller.stay(orders, end) => stayed?,
                // Who could stop it is gone: the run is over as well.
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
            Ok(caller)
        });
        Ok(Talker { say, task })
    }

    async fn say(&self, speech: Speech<'static>) {
        // A talker that has ended has a reason, which its task tells.
        let _ = self.say.send(speech).await;
    }
}

/// What everybody came to.
struct Tally<'a> {
    field: &'a Field,
    rows: Vec<Row>,
    journeys: Vec<super::record::Journey>,
    others: Vec<Break>,
}

impl Tally<'_> {
    fn new(field: &Field) -> Tally<'_> {
        Tally { field, rows: Vec::new(), journeys: Vec::new(), others: Vec::new() }
    }

    fn add(&mut self, name: String, user: String, moves: bool, story: Story) {
        let Story { stays, journeys, broken } = story;
        let named = |broken: Break| Break { how: format!("{name} {}", broken.how), ..broken };
        self.others.extend(broken.into_iter().map(named));
        self.journeys.extend(journeys);
        for (group, stays) in stays.into_iter().enumerate() {
            let record = Record { name: name.clone(), user: user.as_str().into(), stays };
            self.push(group, &record, moves);
        }
    }

    fn push(&mut self, group: usize, record: &Record, moves: bool) {
        let group = &self.field.groups[group];
        let terms = Terms { retention: RETENTION, slack: SLACK };
        let verdict = group.ground.with_truth(|truth| judge(truth, record, &terms));
        self.rows.push(Row { group: group.kind, moves, verdict });
    }

    /// The user that has moved had the floor, and said everything.
    fn judge_words(&mut self, plan: &Plan) {
        let (first, frames) = (self.field.mover(0), Speech::burst(WORDS).map_or(0, |words| words.frames()));
        let said = self.field.groups[WORDS_GROUP]
            .ground
            .with_truth(|truth| truth.spoken().iter().filter(|spoken| *spoken.user == *first).count());
        if !plan.moves.is_empty() && said != frames {
            let how = format!("mover-0 said {said} of {frames} packets from B");
            self.others.push(Break::new(Promise::Granted, how));
        }
    }

    /// A talker hears what others say after it.
    async fn add_talker(&mut self, group: usize, talker: Talker) -> Result<(), Failure> {
        let task = talker.task.await;
        let caller = task.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        let (record, failed) = caller.into_record();
        if let Some(how) = failed {
            return Err(Failure::Talker { talker: group, how });
        }
        let system = self.field.groups[group].home;
        let answer = record.answer.map(|late_entry| crate::answer::Answer {
            call: String::new(),
            participant: String::new(),
            leg: crate::answer::Leg { rtp: String::new(), floor: None, audio_ssrc: 0, floor_ssrc: 0 },
            late_entry,
        });
        let (asked, answered, left) = (record.asked, record.answered, self.field.now());
        let stay = Stay { system, asked, answered, left, resume: Vec::new(), answer, capture: record.capture };
        let record = Record { name: format!("talker-{group}"), user: record.user, stays: vec![stay] };
        self.push(group, &record, false);
        Ok(())
    }
}
