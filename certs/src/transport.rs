//! QUIC limits: how much memory, time and how many streams one peer may take.

use std::sync::Arc;
use std::time::Duration;

use quinn::{IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};

/// A dead path is noticed after this; above three lost keep-alives.
const IDLE_MS: u32 = 20_000;
/// NAT mappings live about 30 s. Those that dial send these; consoles only answer.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Unread bytes of one control stream: a full frame fits.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Unread bytes of a whole control connection, each way.
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
/// Unread bytes of a peer that has not said who it is: a join request fits many times.
const STRANGER_WINDOW: u32 = 16 * 1024;
/// Streams of an agent's control connection: one is used.
const STREAMS: u32 = 4;
/// Streams of an operator's connection: a dashboard has one for snapshots, one for questions and some that follow.
const OPERATOR_STREAMS: u32 = 8;
/// Works through every tunnel; `min_mtu` stays there.
const MTU_FIRST: u16 = 1200;
/// Ethernet less IPv6 and UDP headers. Larger discoveries ended at 1200 after loss.
const MTU_MAX: u16 = 1452;

/// The console's end before it knows the peer.
pub(crate) fn stranger() -> Arc<TransportConfig> {
    let mut config = common();
    config.max_concurrent_bidi_streams(1_u32.into()).receive_window(STRANGER_WINDOW.into());
    Arc::new(config)
}

/// What a known agent may use from here on.
pub fn raise_for_agent(connection: &quinn::Connection) {
    connection.set_receive_window(CONNECTION_WINDOW.into());
    connection.set_max_concurrent_bi_streams(STREAMS.into());
}

/// What a known operator may use from here on.
pub fn raise_for_operator(connection: &quinn::Connection) {
    connection.set_receive_window(CONNECTION_WINDOW.into());
    connection.set_max_concurrent_bi_streams(OPERATOR_STREAMS.into());
}

/// The end of those that dial, also while they join: consoles open no streams.
pub(crate) fn client() -> Arc<TransportConfig> {
    let mut config = common();
    config
        .max_concurrent_bidi_streams(0_u32.into())
        .receive_window(CONNECTION_WINDOW.into())
        .keep_alive_interval(Some(KEEP_ALIVE));
    Arc::new(config)
}

fn common() -> TransportConfig {
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(MTU_MAX);
    let mut config = TransportConfig::default();
    config
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_MS))))
        .max_concurrent_uni_streams(0_u32.into())
        .stream_receive_window(STREAM_WINDOW.into())
        .send_window(u64::from(CONNECTION_WINDOW))
        .initial_mtu(MTU_FIRST)
        .mtu_discovery_config(Some(mtu))
        .datagram_receive_buffer_size(None);
    config
}
