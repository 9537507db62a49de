use proptest::{collection::vec, option, prelude::*};

use super::*;

fn member() -> impl Strategy<Value = Member> {
    (".{0,12}", any::<u8>(), any::<bool>()).prop_map(|(user, priority, receive_only)| Member {
        user,
        priority,
        receive_only,
    })
}

fn codec() -> impl Strategy<Value = Codec> {
    (".{0,12}", any::<u8>(), ".{0,12}").prop_map(|(name, payload_type, fmtp)| Codec { name, payload_type, fmtp })
}

fn floor() -> impl Strategy<Value = Floor> {
    any::<(bool, u16, u32, bool)>().prop_map(|(queueing, max_burst_s, hang_time_s, privacy)| Floor {
        queueing,
        max_burst_s,
        hang_time_s,
        privacy,
    })
}

fn media() -> impl Strategy<Value = Media> {
    (vec(codec(), 0..4), any::<(u32, u32, u32, u32)>()).prop_map(
        |(codecs, (retention_ms, entry_ms, packets_per_s, bytes_per_s))| Media {
            codecs,
            retention_ms,
            entry_ms,
            packets_per_s,
            bytes_per_s,
        },
    )
}

fn group() -> impl Strategy<Value = Group> {
    let model = prop_oneof![Just(Model::Prearranged), Just(Model::Chat)];
    let lists = (vec(member(), 0..5), option::of(".{0,12}"), floor(), media());
    (model, lists, any::<(bool, bool, u32, u32, u16)>()).prop_map(|(model, (members, home, floor, media), plain)| {
        let (open, enabled, migration_grace_s, participants_max, queue_max) = plain;
        Group { model, members, open, home, enabled, migration_grace_s, floor, media, participants_max, queue_max }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_group_comes_back_as_it_was_stored(group in group(), revision in any::<u64>()) {
        let row = record("fire", Some((&group, revision)));
        prop_assert_eq!((row.table, row.key.as_str()), ("groups", "fire"));
        prop_assert_eq!(decode(&row.value.unwrap_or_default()), Ok((group, revision)));
    }

    #[test]
    fn junk_is_a_group_or_malformed(junk in vec(any::<u8>(), 0..200)) {
        if let Ok((group, revision)) = decode(&junk) {
            let again = StoredGroup::new(&group, revision).encode_to_vec();
            prop_assert_eq!(decode(&again), Ok((group, revision)));
        }
    }
}

#[test]
fn a_row_of_another_version_or_out_of_bounds_is_malformed() {
    type Edit = fn(&mut StoredGroup);
    let edits: [(Edit, &str); 9] = [
        (|row| row.version = 2, "version 2"),
        (|row| row.version = 0, "version 0"),
        (|row| row.model = 0, "model 0"),
        (|row| row.model = 9, "model 9"),
        (|row| row.floor = None, "floor is missing"),
        (|row| row.media = None, "media is missing"),
        (|row| row.queue_max = 65_536, "queue_max is 65536"),
        (|row| row.members = vec![StoredMember { priority: 256, ..Default::default() }], "priority is 256"),
        (|row| row.floor = Some(StoredFloor { max_burst_s: 65_536, ..Default::default() }), "max_burst_s is 65536"),
    ];
    for (edit, complaint) in edits {
        let mut row = StoredGroup::new(&Group::new(Model::Chat), 1);
        edit(&mut row);
        let Err(Malformed(what)) = decode(&row.encode_to_vec()) else { panic!("taken: {complaint}") };
        assert!(what.contains(complaint), "{what}");
    }
    assert_eq!(record("fire", None).value, None);
}

#[test]
fn a_row_begins_with_its_version() {
    let row = StoredGroup::new(&Group::new(Model::Chat), 7).encode_to_vec();
    assert_eq!(row.get(..2), Some(&[0x08, 0x01][..]), "field 1, varint, version 1");
}
