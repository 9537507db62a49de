//! Every limit, from both sides.

use std::{format, string::String, vec::Vec};

use relay_core::trunk::wire;

use super::{
    super::{
        Answer, Ask, GROUPS_MAX, Input, PARTNER_AFFILIATIONS_MAX, PARTNERS_MAX, PROFILE_ENTRIES_MAX, PROFILES_MAX,
        Partner, homed::HomedKey,
    },
    asks::lines,
    moves::{FIRE, world},
    world::{A, ANA, B, Shown, World},
};
use crate::{
    Refused,
    user::{Profile, User},
};

fn limit(answer: Result<Answer<Shown>, Refused>) -> Option<String> {
    answer.err().filter(|refused| refused.cause.code() == "limit-reached").map(|refused| refused.subject)
}

#[test]
fn a_user_has_so_many_profiles_with_so_many_groups() {
    let mut world = World::new(&[A]);
    let mut put = |profiles: usize, groups: usize| {
        let groups: Vec<String> = (0..groups).map(|at| format!("sip:g{at}@a")).collect();
        let profile = |index| Profile { index, partners: Vec::new(), groups: groups.clone(), n2: 1 };
        let profiles = (1..).take(profiles).map(profile).collect();
        limit(world.ask(A, Ask::PutUser { user: ANA.into(), document: User { profiles, blocked: false } }))
    };
    assert_eq!(put(PROFILES_MAX, 1), None);
    assert_eq!(put(PROFILES_MAX + 1, 1), Some("profiles".into()));
    assert_eq!(put(1, PROFILE_ENTRIES_MAX), None);
    assert_eq!(put(1, PROFILE_ENTRIES_MAX + 1), Some("profile.groups".into()));
}

#[test]
fn a_request_names_so_many_groups() {
    let (mut world, _) = world();
    let names: Vec<String> = (0..=GROUPS_MAX).map(|at| format!("sip:g{at}@a.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut ask = |count: usize| world.ask(A, World::affiliate_ask(ANA, "radio", &names[..count], false));
    let Ok(Answer::Affiliation { items, .. }) = ask(GROUPS_MAX) else { panic!("it is answered") };
    assert!(lines(&items).iter().filter(|line| line.ends_with("group-not-in-profile")).count() == GROUPS_MAX);
    assert_eq!(limit(ask(GROUPS_MAX + 1)), Some("groups".into()));
}

#[test]
fn a_system_has_so_many_partners() {
    let mut world = World::new(&[A]);
    let mut put = |at: usize| {
        let document = Partner { address: None, participants_max: 1, migrated_users_max: 1 };
        limit(world.ask(A, Ask::PutPartner { system: format!("p{at}"), document }))
    };
    assert!((0..PARTNERS_MAX).all(|at| put(at).is_none()));
    assert_eq!(put(PARTNERS_MAX), Some("partners".into()));
    assert_eq!(put(0), None, "one that is there is no new one");
}

#[test]
fn a_partner_has_so_many_affiliations_here() {
    let (mut world, _) = world();
    let homed = &mut world.node(A).system.homed;
    homed.extend((1..PARTNER_AFFILIATIONS_MAX).map(|at| {
        let user = format!("sip:u{at}@b.example");
        (HomedKey { group: "sip:x@a.example".into(), user, client: "radio".into(), system: B.into() }, 0)
    }));
    let members = ["sip:one@b.example", "sip:two@b.example"];
    world.put_group(A, FIRE, super::asks::group(crate::group::Model::Prearranged, &members));
    for (user, refusals) in [("sip:one@b.example", 0), ("sip:two@b.example", 1), ("sip:one@b.example", 1)] {
        let request = wire::AffiliationRequest {
            user: user.into(),
            partner_user: String::new(),
            client: "radio".into(),
            generation: 0,
            groups: [FIRE.into()].into(),
        };
        let letter = wire::Letter { id: 5, what: Some(wire::letter::What::Affiliate(request)) };
        world.give(A, Input::Letter { from: B.into(), letter });
        assert_eq!(world.audited(A, "affiliation-refused").len(), refusals, "{user}");
    }
    assert_eq!(world.audited(A, "affiliation-refused"), [Some("limit-reached")]);
}
