//! Ids, tickets and tokens, made of the randomness that a shell hands in.

use alloc::{format, string::String, vec::Vec};

use sha2::{Digest, Sha256};

/// Randomness of one `Ask`.
pub(super) type Entropy = [u8; 64];

/// An id that nobody guesses. Different purposes make different ids of one entropy.
pub(super) fn id(purpose: &str, entropy: &Entropy) -> String {
    hex(hash(&[purpose.as_bytes(), entropy]).get(..16).unwrap_or_default())
}

/// The ticket for one partner: 256 bits.
pub(super) fn ticket(target: &str, entropy: &Entropy) -> Vec<u8> {
    hash(&[b"ticket", target.as_bytes(), entropy])
}

/// Names a migration towards the primary system: as secret as the ticket that it is made of.
pub(super) fn token(pool: &[u8], ticket: &[u8]) -> Vec<u8> {
    hash(&[b"migration", pool, ticket])
}

/// SHA-256 over the parts, each with its length before it.
pub(super) fn hash(parts: &[&[u8]]) -> Vec<u8> {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().to_vec()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a ticket as a client shows it; what is no hexadecimal number stays what it is, and nobody knows it.
pub(super) fn bytes(ticket: &str) -> Vec<u8> {
    let digits: Option<Vec<u8>> =
        ticket.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => {
            digits.chunks(2).map(|pair| pair.iter().fold(0, |byte: u8, digit| byte << 4 | digit)).collect()
        }
        _ => ticket.as_bytes().to_vec(),
    }
}
