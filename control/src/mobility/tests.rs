//! The shell by itself: order, limits, and a store that is slow or fails.

use std::sync::Mutex;

use control_core::{
    group::{Group, Model},
    system::{Enter, LegRequest, Record, Service, Wanted},
    user::{Profile, User},
};
use relay::Relay;
use relay_core::roster::Leg;

use super::{
    outside::{Store, Written},
    *,
};

const GROUP: &str = "sip:fire-1@a";

/// A store that says nothing before it is told to.
#[derive(Default)]
struct Slow(Mutex<Vec<Written>>);

impl Store for Slow {
    fn write(&self, _: Vec<Record>, done: Written) {
        self.0.lock().unwrap().push(done);
    }
}

impl Slow {
    /// Ends every write that waits. True if there was one.
    fn end(&self, result: Result<(), String>) -> bool {
        let waiting: Vec<Written> = self.0.lock().unwrap().drain(..).collect();
        let any = !waiting.is_empty();
        waiting.into_iter().for_each(|done| done(result.clone()));
        any
    }
}

fn registry() -> Arc<Registry> {
    let config = relay::Config { media: "127.0.0.1:0".parse().unwrap(), workers: 1, calls_max: 4 };
    Arc::new(Registry::new(Relay::start(config).expect("loopback is there").0))
}

fn outside(store: Arc<dyn Store>) -> Outside {
    Outside { store, partners: Arc::new(NoTrunk), trail: Arc::new(LogOnly) }
}

fn start(store: Arc<dyn Store>) -> Arc<Mobility> {
    Mobility::start(registry(), System::new("a.example"), false, outside(store)).0
}

fn put(user: &str) -> Ask {
    Ask::PutUser { user: user.into(), document: User::default() }
}

#[tokio::test]
async fn nothing_is_answered_before_it_is_stored() {
    let store = Arc::new(Slow::default());
    let mobility = start(store.clone());
    let asked = {
        let mobility = Arc::clone(&mobility);
        tokio::spawn(async move { mobility.ask(put("sip:ana@a")).await })
    };
    while store.0.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!asked.is_finished());
    assert!(mobility.is_in_use());
    assert!(store.end(Ok(())));
    let Answer::User { user, .. } = asked.await.unwrap().unwrap() else { panic!("a user was stored") };
    assert_eq!(user, "sip:ana@a");
}

#[tokio::test]
async fn a_store_that_failed_answers_nobody_any_more() {
    let store = Arc::new(Slow::default());
    let mobility = start(store.clone());
    let asked = {
        let mobility = Arc::clone(&mobility);
        tokio::spawn(async move { mobility.ask(put("sip:ana@a")).await })
    };
    while !store.end(Err("the disk is full".into())) {
        tokio::task::yield_now().await;
    }
    let refused = asked.await.unwrap().unwrap_err();
    assert_eq!(
        (refused.cause, refused.subject.as_str(), refused.detail.as_str()),
        (Cause::Internal, "store", "the disk is full")
    );
    assert!(mobility.is_broken());
    assert_eq!(mobility.ask(put("sip:ben@a")).await.unwrap_err().subject, "store");
}

#[tokio::test]
async fn asks_and_letters_have_a_limit() {
    let mobility = start(Arc::new(Memory));
    let most = u32::try_from(ASKS_MAX).unwrap();
    let all_but_one = Arc::clone(&mobility.asks).acquire_many_owned(most - 1).await.unwrap();
    assert!(mobility.ask(put("sip:ana@a")).await.is_ok());
    let last = Arc::clone(&mobility.asks).acquire_owned().await.unwrap();
    let refused = mobility.ask(put("sip:ana@a")).await.unwrap_err();
    assert_eq!((refused.cause, refused.subject.as_str()), (Cause::LimitReached, "mobility.asks"));
    drop((all_but_one, last));
    assert!(mobility.ask(put("sip:ana@a")).await.is_ok());

    let letter = |from| mobility.letter(from, wire::Letter::default());
    let most = u32::try_from(LETTERS_MAX).unwrap();
    let all_but_one = mobility.places_of("b.example").acquire_many_owned(most - 1).await.unwrap();
    assert!(letter("b.example").is_ok());
    let last = mobility.places_of("b.example").acquire_owned().await.unwrap();
    assert_eq!(letter("b.example").unwrap_err().subject, "mobility.letters");
    assert!(letter("c.example").is_ok(), "another partner has places of its own");
    drop((all_but_one, last));
}

/// The report of its leave was quicker than the one of its coming.
#[tokio::test]
async fn who_left_before_the_machine_heard_of_its_coming_is_not_in_the_call() {
    let mobility = start(Arc::new(Memory));
    let user = "sip:ana@a";
    let profile = Profile { index: 1, partners: Vec::new(), groups: vec![GROUP.into()], n2: 8 };
    let document = User { profiles: vec![profile], blocked: false };
    mobility.ask(Ask::PutUser { user: user.into(), document }).await.unwrap();
    let (service, client) = (Service::default(), String::from("radio"));
    let authorize = Ask::Authorize { user: user.into(), client: client.clone(), profile: None, service };
    mobility.ask(authorize).await.unwrap();
    mobility.group(GROUP, Some(Arc::new(Group { open: true, ..Group::new(Model::Prearranged) }))).await;
    let groups = vec![Wanted { group: GROUP.into(), resume: Vec::new() }];
    let affiliate =
        Ask::Affiliate { user: user.into(), client: client.clone(), groups, leg: None, expires: None, service };
    let Answer::Affiliation { affiliation, items, .. } = mobility.ask(affiliate).await.unwrap() else { panic!() };
    assert_eq!(items[0].result, Ok(None));
    let came = Input::Came { user: user.into(), client, group: GROUP.into(), entered: Value::Bool(true) };
    mobility.inbox.send(Message::Input(came)).map_err(|_| ()).unwrap();
    let Answer::Affiliation { items, .. } = mobility.ask(Ask::Affiliation { affiliation }).await.unwrap() else {
        panic!()
    };
    assert_eq!(items[0].result, Ok(None), "nobody is in a call of the group");
}

/// An engine that nobody runs, and what comes back to it.
fn engine() -> (Engine, mpsc::UnboundedReceiver<Message>) {
    let (back, came_back) = mpsc::unbounded_channel();
    let (_, messages) = mpsc::unbounded_channel();
    let changes = Arc::new(Changes::new(1));
    let engine =
        Engine::new(System::new("a"), registry(), outside(Arc::new(Memory)), back, messages, changes, Arc::default());
    (engine, came_back)
}

fn left(number: u64) -> Input<Value> {
    Input::Left { number, resume: Vec::new() }
}

fn number(message: Message) -> u64 {
    match message {
        Message::Did(_, Input::Left { number, .. }) => number,
        _ => panic!("something was carried out"),
    }
}

#[tokio::test]
async fn one_client_takes_turns_and_another_one_does_not_wait() {
    let (mut engine, mut came_back) = engine();
    let client = |name: &str| ("sip:ana@a".to_owned(), name.to_owned(), GROUP.to_owned());
    let (go, wait) = oneshot::channel::<()>();
    engine.in_turn(client("radio"), async move { wait.await.map_or(left(0), |()| left(1)) }, left(0));
    engine.in_turn(client("radio"), async { left(2) }, left(0));
    engine.in_turn(client("tablet"), async { left(3) }, left(0));
    assert_eq!(number(came_back.recv().await.unwrap()), 3);
    go.send(()).unwrap();
    assert_eq!(number(came_back.recv().await.unwrap()), 1);
    assert_eq!(number(came_back.recv().await.unwrap()), 2);
}

#[tokio::test]
async fn a_bug_in_an_enter_is_an_answer_and_holds_up_nobody() {
    let (mut engine, mut came_back) = engine();
    let client = ("sip:ana@a".to_owned(), "radio".to_owned(), GROUP.to_owned());
    engine.in_turn(client.clone(), async { panic!("a bug that the test makes") }, left(7));
    engine.in_turn(client, async { left(8) }, left(0));
    assert_eq!(number(came_back.recv().await.unwrap()), 7);
    assert_eq!(number(came_back.recv().await.unwrap()), 8);
}

fn enter(user: &str, port: u16, start: bool) -> Enter {
    let leg = Leg { rtp: ([127, 0, 0, 1], port).into(), floor: None };
    Enter {
        number: 1,
        group: GROUP.into(),
        home: None,
        document: None,
        user: user.into(),
        client: "radio".into(),
        leg: LegRequest { leg, queueing: true, priority: 5, expires: None },
        resume: Vec::new(),
        standing: control_core::group::Standing { priority: 0, receive_only: false },
        start,
    }
}

async fn store_group(registry: &Registry, migration_grace_s: u32) {
    registry.put_group(GROUP, Group { open: true, migration_grace_s, ..Group::new(Model::Prearranged) }).await.unwrap();
}

#[tokio::test]
async fn an_enter_starts_a_call_only_if_it_says_so() {
    let registry = registry();
    store_group(&registry, 0).await;
    let refused = entering::enter(&registry, enter("sip:ana@a", 4_000, false)).await.unwrap_err();
    assert_eq!(refused.cause, Cause::CallEnded);
    let shown = entering::enter(&registry, enter("sip:ana@a", 4_000, true)).await.unwrap();
    let again = entering::enter(&registry, enter("sip:ben@a", 4_010, false)).await.unwrap();
    assert_eq!(shown["call"], again["call"]);
    let elsewhere =
        Enter { home: Some("b.example".into()), group: "sip:g@b".into(), ..enter("sip:ana@a", 4_000, false) };
    let elsewhere = Enter { document: Some(Arc::new(Group::new(Model::Prearranged))), ..elsewhere };
    let refused = entering::enter(&registry, elsewhere).await.unwrap_err();
    assert_eq!(refused.cause, Cause::NoAgreement, "b.example is no partner");
}

#[tokio::test]
async fn a_call_outlives_who_moves_for_its_grace_and_nobody_else() {
    let registry = registry();
    store_group(&registry, 1).await;
    let begin = std::time::Instant::now();
    entering::enter(&registry, enter("sip:ana@a", 4_000, true)).await.unwrap();
    entering::leave(&registry, "sip:ana@a", "radio", GROUP, false).await;
    assert!(registry.call_of_group(GROUP).is_none(), "who only leaves takes the call along");

    entering::enter(&registry, enter("sip:ana@a", 4_000, true)).await.unwrap();
    entering::leave(&registry, "sip:ana@a", "radio", GROUP, true).await;
    let call = registry.call_of_group(GROUP).expect("Ana is on her way");
    entering::enter(&registry, enter("sip:ben@a", 4_010, false)).await.unwrap();
    entering::leave(&registry, "sip:ben@a", "radio", GROUP, false).await;
    assert!(registry.call_of_group(GROUP).is_some(), "she is still on her way");
    while registry.call(&call.id).is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(9), "the grace is a second");
        tokio::task::yield_now().await;
    }
    assert!(begin.elapsed() >= Duration::from_secs(1));

    store_group(&registry, 0).await;
    entering::enter(&registry, enter("sip:ana@a", 4_000, true)).await.unwrap();
    entering::leave(&registry, "sip:ana@a", "radio", GROUP, true).await;
    assert!(registry.call_of_group(GROUP).is_none(), "no grace");
}

#[tokio::test]
async fn whoever_came_within_the_grace_keeps_the_call() {
    let registry = registry();
    store_group(&registry, 1).await;
    entering::enter(&registry, enter("sip:ana@a", 4_000, true)).await.unwrap();
    entering::leave(&registry, "sip:ana@a", "radio", GROUP, true).await;
    let call = registry.call_of_group(GROUP).expect("Ana is on her way");
    entering::enter(&registry, enter("sip:ben@a", 4_010, false)).await.unwrap();
    let begin = std::time::Instant::now();
    while begin.elapsed() < Duration::from_millis(1_100) {
        tokio::task::yield_now().await;
    }
    assert!(registry.call(&call.id).is_ok());
    entering::leave(&registry, "sip:ben@a", "radio", GROUP, false).await;
    assert!(registry.call(&call.id).is_err());
}

#[tokio::test]
async fn what_nobody_ordered_is_reported() {
    let registry = registry();
    store_group(&registry, 0).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let follower = Arc::clone(&told);
    registry.tell(move |change| follower.lock().unwrap().push(change));
    let news = || told.lock().unwrap().drain(..).collect::<Vec<_>>();
    let runs = |runs| Change::Call { group: GROUP.into(), runs };
    entering::enter(&registry, enter("sip:ana@a", 4_000, true)).await.unwrap();
    entering::enter(&registry, enter("sip:ben@a", 4_010, true)).await.unwrap();
    assert_eq!(news(), [runs(true)]);
    let call = registry.call_of_group(GROUP).unwrap();
    let ben = call.of_client("sip:ben@a", "radio").unwrap();
    registry.leave(&call, &ben.id).await.unwrap();
    let gone = Change::Gone { user: "sip:ben@a".into(), client: "radio".into(), group: GROUP.into() };
    assert_eq!(news(), [gone]);
    entering::leave(&registry, "sip:ana@a", "radio", GROUP, false).await;
    assert_eq!(news(), [runs(false)], "the leave was ordered, the end was not");
    let (call, _) = registry.call_to_enter(GROUP, None).unwrap();
    registry.end(&call).await.unwrap();
    registry.began(&call);
    assert_eq!(news(), [runs(false), runs(true), runs(false)], "an end that was quicker is the last word");
}
