//! Raw loops: what the kernel alone can do on this machine, measured in the same run as the relay.

mod cores;
mod drain;
mod flood;
mod repeater;
mod socket;
mod stamp;
mod steps;
mod sweep;
mod system_calls;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

pub use cores::{cores, pin, unpinned};
pub use drain::Drain;
pub use flood::{Flood, How};
pub use repeater::Repeater;
pub use socket::{deepen, kernel_drops, refuse_all};
pub use stamp::{receive_stamped, stamp, ticks_per_s, wall_ns};
pub use steps::{Step, Steps};
pub use sweep::Sweep;
pub use system_calls::SystemCalls;

/// Datagrams per `sendmmsg`, as in the relay.
pub const BATCH: usize = 128;

/// The destinations of a measurement: distinct loopback addresses on `ports` in turn.
pub fn targets(count: usize, ports: &[u16]) -> Vec<SocketAddr> {
    let address = |n: usize| Ipv4Addr::new(127, 1, (n / 250) as u8, (n % 250) as u8 + 1);
    let port = |n: usize| ports[n % ports.len()];
    (0..count).map(|n| SocketAddr::V4(SocketAddrV4::new(address(n), port(n)))).collect()
}
