//! A large call beside others: it is handed out in small pieces, and a small one whole.

use super::*;

/// Sizes of the pieces in which one packet of a call of `participants` is handed out.
fn pieces(participants: u16, company: bool) -> Vec<usize> {
    let mut world = World::new(settings());
    for number in 0..participants {
        world.enter(u32::from(number), participant(&format!("user {number}"), 1_000 + 2 * number));
    }
    world.tell(Input::Ask { slot: Slot(0), token: 0, action: Action::Request(0) });
    world.call.in_company(company);
    world.offer(0, 1_000, 1);
    let mut pieces = Vec::new();
    loop {
        match world.call.poll() {
            Output::Distribute { targets, .. } => pieces.push(targets.len()),
            Output::Wake(_) => return pieces,
            _ => {}
        }
    }
}

#[test]
fn a_large_call_in_company_is_handed_out_in_small_pieces() {
    // Everybody but the talker; a packet does not begin with the first participant, so its last piece is cut in two.
    assert_eq!(pieces(301, false).iter().sum::<usize>(), 300);
    assert!(pieces(301, false).contains(&CHUNK));
    let small = pieces(301, true);
    assert_eq!(small.iter().sum::<usize>(), 300);
    assert!(small.iter().all(|piece| *piece <= CHUNK_IN_COMPANY), "{small:?}");
}

#[test]
fn a_small_call_in_company_is_handed_out_as_if_it_were_alone() {
    assert_eq!(pieces(CHUNK as u16, true), pieces(CHUNK as u16, false));
    assert!(pieces(CHUNK as u16, true).iter().any(|piece| *piece > CHUNK_IN_COMPANY));
    assert!(pieces(CHUNK as u16 + 1, true).iter().all(|piece| *piece <= CHUNK_IN_COMPANY));
}
