//! Replays the committed fuzz corpus: what a fuzzer once found stays found.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/bodies.rs"]
mod bodies;

fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a folder that opens can be listed").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty: nothing was replayed", folder.display());
    for file in files {
        // Captured, and shown with a failure: the last file named is the one that failed.
        eprintln!("{}", file.display());
        body(&fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
    }
}

#[test]
fn the_rtp_packet_corpus_holds() {
    replay("rtp_packet", bodies::rtp_packet);
}

#[test]
fn the_rtcp_app_corpus_holds() {
    replay("rtcp_app", bodies::rtcp_app);
}

#[test]
fn the_floor_message_corpus_holds() {
    replay("floor_message", bodies::floor_message);
}

#[test]
fn the_trunk_frame_corpus_holds() {
    replay("trunk_frame", bodies::trunk_frame);
}

#[test]
fn the_trunk_letter_corpus_holds() {
    replay("trunk_letter", bodies::trunk_letter);
}

#[test]
fn the_trunk_packets_corpus_holds() {
    replay("trunk_packets", bodies::trunk_packets);
}
