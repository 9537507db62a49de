//! How the QUIC connection of a trunk is set: for voice on a managed link.

use std::{any::Any, sync::Arc, time::Duration};

use quinn::{AckFrequencyConfig, IdleTimeout, TransportConfig, VarInt, congestion};

/// A trunk that hears nothing for this long is dead.
pub(crate) const IDLE: Duration = Duration::from_secs(4);
/// How often a silent side speaks.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// About 200 ms of what a busy trunk carries: what is older helps nobody.
const DATAGRAMS_WAITING_OCTETS: usize = 128 << 10;
/// Streams of one side for frames and letters.
const BOTH_WAYS: u32 = 2;
/// Backfills of one side at once; a further one waits.
const BACKFILLS: u32 = 64;

pub(crate) fn transport() -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(BOTH_WAYS))
        .max_concurrent_uni_streams(VarInt::from_u32(BACKFILLS))
        .stream_receive_window(VarInt::from_u32(256 << 10))
        .receive_window(VarInt::from_u32(1 << 20))
        .send_window(1 << 20)
        .datagram_send_buffer_size(DATAGRAMS_WAITING_OCTETS)
        .datagram_receive_buffer_size(Some(1 << 20))
        .initial_rtt(Duration::from_millis(50))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE.as_millis() as u32))))
        .ack_frequency_config(Some(AckFrequencyConfig::default()))
        .congestion_controller_factory(Arc::new(Constant));
    Arc::new(config)
}

/// A window that never closes. What a trunk carries is voice that was admitted: halving it on a lost packet makes 25 calls
/// stutter where one packet was missing, and at 1 % random loss Cubic gives less than fifty talkers need. The rate is held by
/// the quotas of partner and talker, so this is for managed links only.
#[derive(Clone, Copy, Debug)]
struct Constant;

/// Above `u32::MAX` the pacer is off too, which would hold every datagram until a whole packet's worth of tokens is there.
const WINDOW: u64 = 1 << 40;

impl congestion::ControllerFactory for Constant {
    fn build(self: Arc<Self>, _: std::time::Instant, _: u16) -> Box<dyn congestion::Controller> {
        Box::new(Constant)
    }
}

impl congestion::Controller for Constant {
    fn on_congestion_event(&mut self, _: std::time::Instant, _: std::time::Instant, _: bool, _: u64) {}

    fn on_mtu_update(&mut self, _: u16) {}

    fn window(&self) -> u64 {
        WINDOW
    }

    fn clone_box(&self) -> Box<dyn congestion::Controller> {
        Box::new(*self)
    }

    fn initial_window(&self) -> u64 {
        WINDOW
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
