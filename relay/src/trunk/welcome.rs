//! What dials this system: its certificate is looked at, then its partner's task has it.

use std::sync::Arc;

use quinn::{Connection, Incoming};
use rustls_pki_types::CertificateDer;
use tokio::{
    sync::{Semaphore, mpsc::error::TrySendError},
    time::timeout,
};

use super::{
    identity::system_of,
    keeper::ESTABLISHING,
    network::Shared,
    refusal::{Refusal, code},
};

/// Handshakes at once (`trunk.handshakes`); more are ignored, and dial again.
pub const HANDSHAKES_MAX: usize = 64;
/// With so many under way, an address has to be proven first.
const HANDSHAKES_TRUSTED: usize = 8;

/// Takes handshakes until the endpoint closes.
pub(crate) async fn welcome(shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let Some(endpoint) = shared.wire().map(|wire| wire.endpoint) else { return };
    while let Some(incoming) = endpoint.accept().await {
        let under_way = HANDSHAKES_MAX - places.available_permits();
        let proven = incoming.remote_address_validated() || !incoming.may_retry();
        let place = match entry(under_way, proven) {
            Entry::Shake => Arc::clone(&places).try_acquire_owned().ok(),
            Entry::Prove => {
                // It may be asked, as `may_retry` said.
                let _asked = incoming.retry();
                continue;
            }
            Entry::Ignore => None,
        };
        let Some(place) = place else {
            shared.counters.handshakes_shed.add(1);
            incoming.ignore();
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            shake(&shared, incoming).await;
            drop(place);
        });
    }
}

/// What becomes of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Shake,
    /// Its sender shows first that its address is its own, which costs this system nothing to remember.
    Prove,
    Ignore,
}

fn entry(under_way: usize, proven: bool) -> Entry {
    match under_way {
        HANDSHAKES_MAX.. => Entry::Ignore,
        HANDSHAKES_TRUSTED.. if !proven => Entry::Prove,
        _ => Entry::Shake,
    }
}

async fn shake(shared: &Shared, incoming: Incoming) {
    let connection = match timeout(ESTABLISHING, incoming).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            if let Some(refusal) = Refusal::of(&error) {
                shared.refuse(None, None, &refusal);
            }
            return;
        }
        Err(_) => return,
    };
    let refused = |system: Option<&str>, refusal: Refusal| {
        connection.close(code::GENERAL_ERROR, refusal.cause.as_bytes());
        shared.refuse(system, None, &refusal);
    };
    let system = match partner_of(&connection) {
        Ok(system) => system,
        Err(refusal) => return refused(None, refusal),
    };
    let Some(line) = shared.line_of(&system) else {
        let detail = format!("{system} is no partner of this system; add it, if it should be");
        return refused(Some(&system), Refusal { cause: "unknown-system", detail });
    };
    if let Err(TrySendError::Full(_) | TrySendError::Closed(_)) = line.candidates.try_send(connection.clone()) {
        shared.counters.candidates_shed.add(1);
        connection.close(code::NO_ERROR, b"busy");
    }
}

/// The system at the other end: the one dNSName of its certificate.
pub(crate) fn partner_of(connection: &Connection) -> Result<String, Refusal> {
    let chain = connection.peer_identity().and_then(|chain| chain.downcast::<Vec<CertificateDer<'static>>>().ok());
    let own = chain.as_ref().and_then(|chain| chain.first());
    let Some(own) = own else {
        return Err(Refusal { cause: "no-certificate", detail: String::from("no certificate was shown") });
    };
    system_of(own).map_err(|names| {
        let detail = format!("their certificate names {names:?}; exactly one dNSName is needed, the system id");
        Refusal { cause: "names", detail }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_handshakes_has_two_dams() {
        assert_eq!(entry(HANDSHAKES_TRUSTED - 1, false), Entry::Shake);
        assert_eq!(entry(HANDSHAKES_TRUSTED, false), Entry::Prove);
        assert_eq!(entry(HANDSHAKES_MAX - 1, false), Entry::Prove);
        assert_eq!(entry(HANDSHAKES_MAX - 1, true), Entry::Shake);
        assert_eq!(entry(HANDSHAKES_MAX, true), Entry::Ignore);
        assert_eq!(entry(HANDSHAKES_MAX, false), Entry::Ignore);
    }
}
