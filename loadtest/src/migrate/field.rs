//! What both systems know before anybody moves: each other, the groups, and the users.

use std::{sync::Arc, time::Duration};

use relay_core::Time;
use serde_json::{Value, json};

use super::{
    nodes::Nodes,
    plan::{LENGTH_MAX, Plan, System},
};
use crate::{
    caller::Ground,
    http::{Api, Failure as Refusal, segment},
    world::Failure,
};

/// The profile that is good in both systems.
pub const PROFILE: u32 = 1;

/// How many groups there are.
pub const GROUPS: usize = 3;

/// A trunk that does not stand after this long will not.
const TRUNK_PATIENCE: Duration = Duration::from_secs(10);

/// How often a node is asked for what it cannot tell by itself.
pub const LOOK: Duration = Duration::from_millis(5);

/// Longer than any run, so that nothing expires in it. Seconds.
pub const EXPIRES_S: u32 = LENGTH_MAX.0 / 1000 + 60;

/// A group of the run.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// What the report calls it.
    pub kind: &'static str,
    /// The system that defines it.
    pub home: System,
    /// Chat: clients enter by themselves. Pre-arranged: who is affiliated is entered.
    pub is_chat: bool,
    /// The clock, and what is said in its call.
    pub ground: Ground,
}

/// Two systems, ready.
#[derive(Clone, Debug)]
pub struct Field {
    /// Names of the systems.
    pub names: [String; 2],
    /// Their APIs.
    pub urls: [String; 2],
    /// The groups: pre-arranged in A, pre-arranged in B, chat in A.
    pub groups: [Group; GROUPS],
    /// Keeps runs apart that share nodes.
    seed: u64,
}

impl Field {
    /// Makes the systems known to each other, and everybody known to them.
    pub async fn prepare(nodes: &Nodes, plan: &Plan) -> Result<Arc<Field>, Failure> {
        let urls = [System::A, System::B].map(|system| nodes.place(system).url.clone());
        let names = [name_of(&urls[0]).await?, name_of(&urls[1]).await?];
        let seed = plan.options.seed;
        let clock = Ground::begin();
        let group = |kind: &'static str, word: &str, home: System, is_chat| Group {
            id: format!("sip:{word}-{seed}@{}", names[home.index()]),
            kind,
            home,
            is_chat,
            ground: clock.beside(),
        };
        let groups = [
            group("pre-arranged, home A", "fire", System::A, false),
            group("pre-arranged, home B", "water", System::B, false),
            group("chat, home A", "chat", System::A, true),
        ];
        let field = Field { names, urls, groups, seed };
        for system in [System::A, System::B] {
            field.introduce(nodes, system).await?;
        }
        for system in [System::A, System::B] {
            field.await_trunk(system).await?;
            field.put_groups(system, plan.options.users).await?;
            for user in field.users_of(system, plan.options.users) {
                field.put_user(system, &user).await?;
            }
        }
        Ok(Arc::new(field))
    }

    /// A way to a system's API.
    pub fn api(&self, system: System) -> Api {
        Api::new(&self.urls[system.index()])
    }

    /// The chat group.
    pub fn chat(&self) -> &Group {
        self.groups.iter().find(|group| group.is_chat).unwrap_or(&self.groups[GROUPS - 1])
    }

    /// Now, on the clock of the run.
    pub fn now(&self) -> Time {
        self.groups[0].ground.now()
    }

    /// A user that moves.
    pub fn mover(&self, number: usize) -> String {
        self.user("mover", number, System::A)
    }

    /// Who talks in a group; it stays in the group's home.
    pub fn talker(&self, group: usize) -> String {
        self.user("talker", group, self.groups[group].home)
    }

    /// Who stays in a system and listens to every group.
    pub fn listening(&self, system: System) -> String {
        self.user("stays", 0, system)
    }

    /// Who is in no call, and only asks.
    pub fn asking(&self) -> String {
        self.user("asks", 0, System::B)
    }

    fn user(&self, word: &str, number: usize, system: System) -> String {
        format!("sip:{word}-{}-{number}@{}", self.seed, self.names[system.index()])
    }

    fn users_of(&self, system: System, movers: usize) -> Vec<String> {
        let mut users = vec![self.listening(system)];
        users.extend((0..GROUPS).filter(|group| self.groups[*group].home == system).map(|group| self.talker(group)));
        match system {
            System::A => users.extend((0..movers).map(|number| self.mover(number))),
            System::B => users.push(self.asking()),
        }
        users
    }

    async fn introduce(&self, nodes: &Nodes, system: System) -> Result<(), Failure> {
        let partner = system.partner();
        let Some(address) = nodes.place(partner).trunk else { return Ok(()) };
        let path = format!("/v1/partners/{}", segment(&self.names[partner.index()]));
        let document = json!({"address": address.to_string()});
        refused(&format!("{system} its partner"), self.api(system).put(&path, &document).await).map(drop)
    }

    async fn await_trunk(&self, system: System) -> Result<(), Failure> {
        let api = self.api(system);
        let name = &self.names[system.partner().index()];
        let path = format!("/v1/partners/{}", segment(name));
        let up = async {
            loop {
                let partner = refused(&format!("{system} a look at its partner"), api.read(&path).await)?;
                // A node that does not say it lets the first question over the trunk tell.
                if partner.get("up").and_then(Value::as_bool).unwrap_or(true) {
                    return Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let late = |_| Failure::Start(format!("the trunk from {system} to {name} did not come up"));
        tokio::time::timeout(TRUNK_PATIENCE, up).await.map_err(late)?
    }

    /// Groups stand in the system that defines them, and in its partner by the name of their home.
    async fn put_groups(&self, system: System, movers: usize) -> Result<(), Failure> {
        for group in &self.groups {
            let path = format!("/v1/groups/{}", segment(&group.id));
            let document =
                if group.home == system { self.document(group, movers) } else { self.document_in_partner(group) };
            refused(&format!("{system} the group {}", group.kind), self.api(system).put(&path, &document).await)?;
        }
        Ok(())
    }

    fn document(&self, group: &Group, movers: usize) -> Value {
        let everybody = [System::A, System::B].into_iter().flat_map(|system| self.users_of(system, movers));
        let members: Vec<Value> = everybody.map(|user| json!({"user": user})).collect();
        json!({
            "model": model(group),
            "members": members,
            "floor": {"max_burst_s": EXPIRES_S},
        })
    }

    /// What the partner stores of a group that it does not define.
    fn document_in_partner(&self, group: &Group) -> Value {
        json!({"model": model(group), "home": self.names[group.home.index()]})
    }

    /// Stores what the rules know of a user.
    pub async fn put_user(&self, system: System, user: &str) -> Result<(), Failure> {
        let groups: Vec<&str> = self.groups.iter().map(|group| group.id.as_str()).collect();
        let partner = &self.names[system.partner().index()];
        let profile = json!({"index": PROFILE, "partners": [partner], "groups": groups, "n2": 8});
        let document = json!({"profiles": [profile], "blocked": false});
        let path = format!("/v1/users/{}", segment(user));
        refused(&format!("{system} a user"), self.api(system).put(&path, &document).await).map(drop)
    }
}

fn model(group: &Group) -> &'static str {
    if group.is_chat { "chat" } else { "prearranged" }
}

async fn name_of(url: &str) -> Result<String, Failure> {
    let system = refused("to say its name", Api::new(url).read("/v1/system").await)?;
    word(&system, "system").map_err(|how| Failure::Refused { what: "to say its name".into(), how })
}

/// A text in an answer.
pub fn word(answer: &Value, name: &str) -> Result<String, String> {
    let text = answer.get(name).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| format!("the answer has no `{name}`: {answer}"))
}

/// Something without which there is no run.
pub fn refused<T>(what: &str, answer: Result<T, Refusal>) -> Result<T, Failure> {
    answer.map_err(|error| Failure::Refused { what: what.into(), how: error.to_string() })
}
