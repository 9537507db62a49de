//! One task per partner: it dials, takes what the partner dialled, and sees to it that one connection stays.

use std::{
    future::{Future, pending},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use quinn::{Connection, ConnectionError, RecvStream, SendStream};
use relay_core::trunk::stream::{Splitter, write_message};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use super::{
    line::Line,
    link::{End, Established, Reader, stand},
    network::Shared,
    refusal::{Refusal, code},
    welcome::partner_of,
};

/// Longest time from the first packet of a connection until both its streams stand.
pub(crate) const ESTABLISHING: Duration = Duration::from_secs(5);
/// First wait after a dial that failed; each further one is twice as long.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Longest wait between two dials.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long the side whose dial would stay keeps the other's waiting, while its own is under way.
const PATIENCE: Duration = Duration::from_secs(1);

type Attempt = Pin<Box<dyn Future<Output = Option<Established>> + Send>>;

/// Why a connection did not become a trunk.
enum Failed {
    Refused(Refusal),
    Network,
}

impl From<ConnectionError> for Failed {
    fn from(error: ConnectionError) -> Failed {
        Refusal::of(&error).map_or(Failed::Network, Failed::Refused)
    }
}

/// Keeps the trunk to one partner up until the partner is given up.
pub(crate) async fn keep(shared: Arc<Shared>, line: Arc<Line>, mut candidates: mpsc::Receiver<Connection>) {
    let mut gone = line.gone.subscribe();
    tokio::select! {
        biased;
        _ = gone.wait_for(Option::is_some) => {}
        () = keep_up(&shared, &line, &mut candidates) => {}
    }
}

async fn keep_up(shared: &Arc<Shared>, line: &Arc<Line>, candidates: &mut mpsc::Receiver<Connection>) {
    let mut backoff = Backoff::default();
    let mut next = None;
    loop {
        let established = match next.take() {
            Some(established) => established,
            None => establish(shared, line, candidates, &mut backoff).await,
        };
        let since = Instant::now();
        next = stand_until_replaced(shared, line, established, candidates).await;
        // A partner that takes a trunk only to close it is dialled as one that does not answer.
        if since.elapsed() >= BACKOFF_MAX {
            backoff = Backoff::default();
        } else {
            backoff.failed();
        }
    }
}

/// Dials, if there is an address, and accepts; whatever stands first. If both sides dial at once, the one with the larger id
/// gives its own up as soon as the other's arrives, and the one with the smaller id is patient: so neither has ever used what
/// is closed.
async fn establish(
    shared: &Arc<Shared>,
    line: &Arc<Line>,
    candidates: &mut mpsc::Receiver<Connection>,
    backoff: &mut Backoff,
) -> Established {
    let mut address = line.address.subscribe();
    let mut wait = backoff.wait();
    loop {
        let under_way = Arc::new(AtomicBool::new(false));
        let target = *address.borrow_and_update();
        let mut attempt = attempt(shared, line, target, wait, &under_way);
        let candidate = tokio::select! {
            biased;
            dialled = &mut attempt => match dialled {
                Some(established) => return established,
                None => None,
            },
            Some(candidate) = candidates.recv() => {
                if under_way.load(Ordering::Relaxed) && shared.system < line.system
                    && let Ok(Some(established)) = timeout(PATIENCE, &mut attempt).await
                {
                    duplicate(shared, &candidate);
                    return established;
                }
                Some(candidate)
            }
            Ok(()) = address.changed() => {
                wait = Duration::ZERO;
                continue;
            }
        };
        // Given up before the other is answered: the partner decides the same way.
        drop(attempt);
        if let Some(candidate) = candidate
            && let Some(established) = accept(shared, line, candidate).await
        {
            return established;
        }
        backoff.failed();
        wait = backoff.wait();
    }
}

fn attempt(
    shared: &Arc<Shared>,
    line: &Arc<Line>,
    target: Option<SocketAddr>,
    wait: Duration,
    under_way: &Arc<AtomicBool>,
) -> Attempt {
    let (shared, line, under_way) = (Arc::clone(shared), Arc::clone(line), Arc::clone(under_way));
    Box::pin(async move {
        let Some(target) = target else { return pending().await };
        sleep(wait).await;
        under_way.store(true, Ordering::Relaxed);
        dial(&shared, &line, target).await
    })
}

/// Keeps a trunk up. What the partner dials meanwhile replaces it, if it is the one that stays; otherwise it waits for the
/// end of this one: it stands for a partner that lost its side of it.
async fn stand_until_replaced(
    shared: &Arc<Shared>,
    line: &Arc<Line>,
    established: Established,
    candidates: &mut mpsc::Receiver<Connection>,
) -> Option<Established> {
    let stays = established.dialled && shared.system < line.system;
    let mut standing = pin!(stand(shared, line, established));
    let mut waiting: Option<Connection> = None;
    let mut answer: Option<Attempt> = None;
    loop {
        let answered = async {
            match &mut answer {
                Some(answer) => answer.await,
                None => pending().await,
            }
        };
        let candidate = tokio::select! {
            biased;
            () = &mut standing => break,
            answered = answered => {
                answer = None;
                match answered {
                    Some(established) => return Some(established),
                    None => continue,
                }
            }
            Some(candidate) = candidates.recv() => candidate,
        };
        if let Some(older) = waiting.take() {
            duplicate(shared, &older);
        }
        if stays {
            waiting = Some(candidate);
        } else {
            let (shared, line) = (Arc::clone(shared), Arc::clone(line));
            answer = Some(Box::pin(async move { accept(&shared, &line, candidate).await }));
        }
    }
    match (answer, waiting) {
        (Some(answer), _) => answer.await,
        (None, Some(candidate)) if candidate.close_reason().is_none() => accept(shared, line, candidate).await,
        (None, _) => None,
    }
}

fn duplicate(shared: &Shared, connection: &Connection) {
    shared.counters.duplicates.add(1);
    connection.close(code::NO_ERROR, b"duplicate");
}

async fn dial(shared: &Arc<Shared>, line: &Arc<Line>, target: SocketAddr) -> Option<Established> {
    shared.counters.dials.add(1);
    let failed = match timeout(ESTABLISHING, try_dial(shared, line, target)).await {
        Ok(Ok(established)) => return Some(established),
        Ok(Err(failed)) => failed,
        Err(_) => Failed::Network,
    };
    match failed {
        Failed::Refused(refusal) => shared.refuse(Some(&line.system), Some(&line.system), &refusal),
        Failed::Network => shared.counters.dials_failed.add(1),
    }
    None
}

async fn try_dial(shared: &Arc<Shared>, line: &Arc<Line>, target: SocketAddr) -> Result<Established, Failed> {
    let endpoint = shared.wire().ok_or(Failed::Network)?.endpoint;
    let connecting = endpoint.connect_with(shared.dialling.clone(), target, &line.system);
    drop(endpoint);
    let connection = connecting.map_err(|_| Failed::Network)?.await?;
    // That the name is among theirs, TLS has proved; that it is the only one, this proves.
    if let Err(refusal) = partner_of(&connection) {
        connection.close(code::GENERAL_ERROR, refusal.cause.as_bytes());
        return Err(Failed::Refused(refusal));
    }
    let mut frames = connection.open_bi().await?;
    let mut letters = connection.open_bi().await?;
    for stream in [&mut frames.0, &mut letters.0] {
        open(stream).await.map_err(|()| failed(&connection))?;
    }
    begin(connection, frames, letters, true).await
}

/// Accepts what a partner dialled.
async fn accept(shared: &Arc<Shared>, line: &Arc<Line>, connection: Connection) -> Option<Established> {
    let accepted = async {
        let mut frames = connection.accept_bi().await?;
        let mut letters = connection.accept_bi().await?;
        for stream in [&mut frames.0, &mut letters.0] {
            open(stream).await.map_err(|()| failed(&connection))?;
        }
        begin(connection.clone(), frames, letters, false).await
    };
    match timeout(ESTABLISHING, accepted).await {
        Ok(Ok(established)) => return Some(established),
        Ok(Err(Failed::Refused(refusal))) => shared.refuse(Some(&line.system), Some(&line.system), &refusal),
        Ok(Err(Failed::Network)) | Err(_) => {}
    }
    connection.close(code::GENERAL_ERROR, b"not established");
    None
}

/// An empty message opens a stream, in both directions: QUIC tells nobody of a stream on which nothing was written, and that
/// the dialled side answers is how the dialling one knows that its certificate was taken.
async fn open(stream: &mut SendStream) -> Result<(), ()> {
    let mut wire = BytesMut::new();
    write_message(&[], &mut wire);
    stream.write_all(&wire).await.map_err(drop)
}

async fn begin(
    connection: Connection,
    frames: (SendStream, RecvStream),
    letters: (SendStream, RecvStream),
    dialled: bool,
) -> Result<Established, Failed> {
    let mut frames = (frames.0, Reader::new(frames.1, Splitter::messages()));
    let mut letters = (letters.0, Reader::new(letters.1, Splitter::messages()));
    for reader in [&mut frames.1, &mut letters.1] {
        match reader.next().await {
            Ok(message) if message.is_empty() => {}
            Err(End::Lost) => return Err(failed(&connection)),
            Ok(_) | Err(_) => {
                let detail = String::from("a stream of the trunk did not begin with an empty message");
                connection.close(code::PACKET_ERROR, b"malformed");
                return Err(Failed::Refused(Refusal { cause: "malformed", detail }));
            }
        }
    }
    Ok(Established { connection, frames, letters, dialled })
}

fn failed(connection: &Connection) -> Failed {
    connection.close_reason().map_or(Failed::Network, Failed::from)
}

/// Waits between dials: none before the first, then 100 ms to 5 s, doubled each time, and up to half of it less, so that two
/// systems do not run into each other for ever.
#[derive(Debug, Default)]
struct Backoff(Duration);

impl Backoff {
    fn failed(&mut self) {
        self.0 = (self.0 * 2).clamp(BACKOFF_MIN, BACKOFF_MAX);
    }

    fn wait(&self) -> Duration {
        self.0.mul_f64(1.0 - rand::random::<f64>() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dials_come_later_and_later_but_never_later_than_the_limit() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.wait(), Duration::ZERO);
        for expected in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            backoff.failed();
            let most = Duration::from_millis(expected);
            assert!((most / 2..=most).contains(&backoff.wait()), "{backoff:?}");
        }
    }
}
