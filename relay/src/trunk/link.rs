//! One connection that is up: what its streams and datagrams bring goes in, what the queues hold goes out.

use std::{
    future::pending,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendDatagramError, SendStream, WriteError};
use relay_core::trunk::stream::{Malformed, Splitter, write_message, write_quic_number};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    Arrival,
    line::{BACKFILLS_MAX, Backfill, FRAMES_MAX, Kind, Line, Link, Outgoing, Piece},
    network::Shared,
    refusal::code,
    transport::IDLE,
};

/// How long a trunk that is closed waits for its last messages to be acknowledged.
const LINGER: Duration = Duration::from_secs(1);
/// Messages that are written in one go.
const MESSAGES_PER_WRITE: usize = 64;
/// Octets that are read from a stream in one go.
const READ_OCTETS: usize = 16 << 10;

/// A connection whose partner is known and whose two streams stand.
pub(crate) struct Established {
    pub(crate) connection: Connection,
    pub(crate) frames: (SendStream, Reader),
    pub(crate) letters: (SendStream, Reader),
    pub(crate) dialled: bool,
}

/// Reads whole messages from a stream.
pub(crate) struct Reader {
    stream: RecvStream,
    splitter: Splitter,
}

/// Why a stream brings nothing more.
pub(crate) enum End {
    /// The partner ended it.
    Finished,
    /// The connection ended.
    Lost,
    /// What came is no message.
    Malformed(Malformed),
}

impl Reader {
    pub(crate) fn new(stream: RecvStream, splitter: Splitter) -> Reader {
        Reader { stream, splitter }
    }

    pub(crate) async fn next(&mut self) -> Result<Bytes, End> {
        loop {
            if let Some(message) = self.splitter.take().map_err(End::Malformed)? {
                return Ok(message);
            }
            self.read().await?;
        }
    }

    async fn flow(&mut self) -> Result<u32, End> {
        loop {
            if let Some(flow) = self.splitter.flow().map_err(End::Malformed)? {
                return Ok(flow);
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), End> {
        match self.stream.read_chunk(READ_OCTETS, true).await {
            Ok(Some(chunk)) => self.splitter.push(&chunk.bytes),
            Ok(None) if self.splitter.is_empty() => return Err(End::Finished),
            Ok(None) => return Err(End::Malformed(Malformed::CutOff)),
            Err(ReadError::ConnectionLost(_)) => return Err(End::Lost),
            Err(_) => return Err(End::Finished),
        }
        Ok(())
    }
}

/// Says that the trunk is up, and when it is dropped, for whatever reason, that it is down.
struct Standing<'a> {
    shared: &'a Shared,
    line: &'a Line,
    connection: Connection,
    cause: Arc<OnceLock<String>>,
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.line.part();
        let own = || self.line.gone.borrow().unwrap_or("replaced").to_owned();
        let why = match self.connection.close_reason() {
            Some(ConnectionError::LocallyClosed) | None => self.cause.get().cloned().unwrap_or_else(own),
            Some(error) => why_it_ended(&error),
        };
        self.connection.close(code::NO_ERROR, why.as_bytes());
        self.shared.counters.up.take(1);
        self.shared.counters.downs.add(1);
        let (trunk, system) = (self.line.id, Arc::clone(&self.line.system));
        (self.shared.incoming)(Arrival::Down { trunk, system, why: Arc::from(why) });
    }
}

fn why_it_ended(error: &ConnectionError) -> String {
    match error {
        ConnectionError::TimedOut => format!("nothing heard for {:.1} s", IDLE.as_secs_f32()),
        ConnectionError::Reset => String::from("the partner has restarted"),
        ConnectionError::ApplicationClosed(close) => {
            format!("closed by the partner: {}", String::from_utf8_lossy(&close.reason))
        }
        other => other.to_string(),
    }
}

/// Keeps a trunk up until its connection ends; then it is closed.
pub(crate) async fn stand(shared: &Arc<Shared>, line: &Arc<Line>, established: Established) {
    let Established { connection, frames, letters, dialled: _ } = established;
    let (frames_queue, frames_out) = mpsc::channel(FRAMES_MAX);
    let (letters_queue, letters_out) = mpsc::channel(FRAMES_MAX);
    let (backfills_queue, backfills_out) = mpsc::channel(BACKFILLS_MAX);
    let (cause, closing) = (Arc::<OnceLock<String>>::default(), Arc::<Notify>::default());
    line.join(Link {
        connection: connection.clone(),
        frames: frames_queue,
        letters: letters_queue,
        backfills: backfills_queue,
        cause: Arc::clone(&cause),
        closing: Arc::clone(&closing),
    });
    shared.counters.up.add(1);
    shared.counters.ups.add(1);
    let standing = Standing { shared, line, connection: connection.clone(), cause: Arc::clone(&cause) };
    (shared.incoming)(Arrival::Up { trunk: line.id, system: Arc::clone(&line.system) });
    let written = async {
        tokio::join!(
            write_messages(shared, Kind::Frame, frames.0, frames_out),
            write_messages(shared, Kind::Letter, letters.0, letters_out)
        );
    };
    let closed = async {
        closing.notified().await;
        sleep(LINGER).await;
    };
    // In order: what arrived before the end is handed over before the end is told.
    let end = tokio::select! {
        biased;
        end = read_messages(shared, line, Kind::Frame, frames.1) => end,
        end = read_messages(shared, line, Kind::Letter, letters.1) => end,
        end = read_media(shared, line, &connection) => end,
        end = read_backfills(shared, line, &connection) => end,
        () = write_media(shared, line, &connection) => End::Lost,
        () = write_backfills(shared, &connection, backfills_out) => End::Lost,
        () = written => End::Lost,
        () = closed => End::Lost,
        _ = connection.closed() => End::Lost,
    };
    match end {
        End::Lost => {}
        End::Finished => drop(cause.set(String::from("the partner ended a stream of the trunk"))),
        End::Malformed(error) => {
            shared.counters.malformed.add(1);
            // A cause that stands already is the reason why both sides know.
            let _known = cause.set(format!("malformed: {error}"));
            connection.close(code::PACKET_ERROR, b"malformed");
        }
    }
    if let Some(cause) = cause.get() {
        connection.close(code::NO_ERROR, cause.as_bytes());
    }
    drop(standing);
}

async fn read_messages(shared: &Shared, line: &Line, kind: Kind, mut reader: Reader) -> End {
    loop {
        let bytes = match reader.next().await {
            Ok(bytes) => bytes,
            // The connection says why.
            Err(End::Lost) => return pending().await,
            // Whoever finishes its streams is about to close, and says why.
            Err(End::Finished) => {
                sleep(LINGER * 2).await;
                return End::Finished;
            }
            Err(end @ End::Malformed(_)) => return end,
        };
        let trunk = line.id;
        match kind {
            Kind::Frame => {
                shared.counters.frames_received.add(1);
                (shared.incoming)(Arrival::Frame { trunk, bytes });
            }
            Kind::Letter => {
                shared.counters.letters_received.add(1);
                (shared.incoming)(Arrival::Letter { trunk, bytes });
            }
        }
    }
}

async fn write_messages(shared: &Shared, kind: Kind, mut stream: SendStream, mut queue: mpsc::Receiver<Outgoing>) {
    let (mut batch, mut wire) = (Vec::with_capacity(MESSAGES_PER_WRITE), BytesMut::new());
    let mut open = true;
    while open && queue.recv_many(&mut batch, MESSAGES_PER_WRITE).await > 0 {
        let mut count = 0;
        for outgoing in batch.drain(..) {
            match outgoing {
                Outgoing::Message(message) => {
                    write_message(&message, &mut wire);
                    count += 1;
                }
                Outgoing::Close => open = false,
            }
        }
        match stream.write_all(&wire.split()).await {
            Ok(()) => {}
            Err(WriteError::ConnectionLost(_)) => return pending().await,
            // The partner takes nothing more from this stream: it cannot go on without.
            Err(_) => return,
        }
        let sent = if kind == Kind::Frame { &shared.counters.frames_sent } else { &shared.counters.letters_sent };
        sent.add(count);
    }
    // Both ways it ends here: acknowledged, or the time is over.
    let _finished = stream.finish();
    let _acknowledged = timeout(LINGER, stream.stopped()).await;
}

async fn read_media(shared: &Shared, line: &Line, connection: &Connection) -> End {
    while let Ok(datagram) = connection.read_datagram().await {
        shared.counters.media_received.add(1);
        (shared.incoming)(Arrival::Media { trunk: line.id, datagram });
    }
    pending().await
}

/// Everything that waits is queued in one go: the connection's own task runs after it and puts several into one packet.
async fn write_media(shared: &Shared, line: &Line, connection: &Connection) {
    loop {
        line.media_ready.notified().await;
        while let Some(datagram) = line.media.pop() {
            if connection.datagram_send_buffer_space() < datagram.len() {
                // Lets the connection send what it has.
                tokio::task::yield_now().await;
            }
            // Otherwise quinn throws the oldest ones away, and counts nothing.
            if connection.datagram_send_buffer_space() < datagram.len() {
                shared.counters.media_full.add(1);
                continue;
            }
            match connection.send_datagram(datagram) {
                Ok(()) => shared.counters.media_sent.add(1),
                Err(SendDatagramError::ConnectionLost(_)) => shared.counters.media_down.add(1),
                Err(_) => shared.counters.media_too_large.add(1),
            }
        }
    }
}

async fn read_backfills(shared: &Arc<Shared>, line: &Arc<Line>, connection: &Connection) -> End {
    let mut reading = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = connection.accept_uni() => match accepted {
                Ok(stream) => stream,
                Err(_) => return pending().await,
            },
            Some(end) = reading.join_next() => match end {
                Ok(end @ End::Malformed(_)) => return end,
                Ok(_) | Err(_) => continue,
            },
        };
        reading.spawn(read_backfill(Arc::clone(shared), Arc::clone(line), stream));
    }
}

async fn read_backfill(shared: Arc<Shared>, line: Arc<Line>, stream: RecvStream) -> End {
    let number = stream.id().index();
    let mut reader = Reader::new(stream, Splitter::packets());
    let flow = match reader.flow().await {
        Ok(flow) => flow,
        Err(end) => return end,
    };
    shared.counters.backfills_received.add(1);
    let arrival = |bytes| Arrival::Backfill { trunk: line.id, stream: number, flow, bytes };
    loop {
        match reader.next().await {
            Ok(packet) => {
                shared.counters.backfill_packets_received.add(1);
                (shared.incoming)(arrival(Some(packet)));
            }
            Err(End::Finished) => {
                (shared.incoming)(arrival(None));
                return End::Finished;
            }
            Err(end) => return end,
        }
    }
}

async fn write_backfills(shared: &Arc<Shared>, connection: &Connection, mut queue: mpsc::Receiver<Backfill>) {
    let mut writing = JoinSet::new();
    loop {
        let backfill = tokio::select! {
            Some(backfill) = queue.recv() => backfill,
            Some(_) = writing.join_next() => continue,
            else => return pending().await,
        };
        writing.spawn(write_backfill(Arc::clone(shared), connection.clone(), backfill));
    }
}

async fn write_backfill(shared: Arc<Shared>, connection: Connection, mut backfill: Backfill) {
    let Ok(mut stream) = connection.open_uni().await else { return };
    shared.counters.backfills_sent.add(1);
    let mut wire = BytesMut::new();
    write_quic_number(backfill.flow, &mut wire);
    let mut batch = Vec::with_capacity(MESSAGES_PER_WRITE);
    loop {
        let mut finished = false;
        let mut count = 0;
        for piece in batch.drain(..) {
            match piece {
                Piece::Packet(packet) => {
                    write_quic_number(packet.len() as u32, &mut wire);
                    wire.extend_from_slice(&packet);
                    count += 1;
                }
                Piece::Finish => finished = true,
            }
        }
        if stream.write_all(&wire.split()).await.is_err() {
            return;
        }
        shared.counters.backfill_packets_sent.add(count);
        if finished {
            // Only a stream that ended already refuses.
            let _ended = stream.finish();
            return;
        }
        if backfill.packets.recv_many(&mut batch, MESSAGES_PER_WRITE).await == 0 {
            let _ended = stream.reset(code::FRAME_CANCELLED);
            return;
        }
    }
}
