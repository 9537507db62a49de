//! Two whole systems of pure cores on a virtual network, in virtual time: users move there and back, talk and leave, while the trunk
//! delays, loses and breaks and processes crash. A judge watches every step.
//!
//! What stands between the cores here does what a node's shell does, and decides nothing. The same seed plays the same run.

mod answers;
mod calls;
mod chance;
mod device;
mod ears;
mod ending;
mod event;
mod judge;
mod node;
mod owner;
mod partners;
mod watch;
mod wire;
mod world;

pub use judge::Counts;

/// How a run went.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Everything random came from it.
    pub seed: u64,
    /// What happened.
    pub counts: Counts,
    /// The first promise that was broken.
    pub broken: Option<String>,
    /// What led there: the last lines.
    pub story: Vec<String>,
}

/// Plays one seed.
pub fn play(seed: u64) -> Verdict {
    let mut world = world::World::new(seed);
    world.play();
    let (judge, story) = world.into_story();
    let (counts, broken) = judge.into_verdict();
    Verdict { seed, counts, broken, story }
}
