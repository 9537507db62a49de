//! Many groups at once: every one has its own answer (MIG-06, 07).

use serde_json::{Value, json};

use super::stage::{A, ANA, MIA, Stage};

fn named(number: usize) -> String {
    format!("sip:group-{number}@a.example")
}

/// Stores so many groups, which the profile of Mia lists all.
fn put_groups(stage: &Stage, count: usize, n2: u32) -> Vec<String> {
    let groups: Vec<String> = (0..count).map(named).collect();
    groups.iter().for_each(|group| stage.put_group(group, json!({})));
    stage.put_user(MIA, json!({"groups": groups, "n2": n2}));
    groups
}

fn wanted(groups: &[String]) -> Value {
    groups.iter().map(|group| json!({"group": group})).collect()
}

/// The cause of every item; empty: affiliated.
fn causes(shown: &Value) -> Vec<&str> {
    let items = shown["groups"].as_array().unwrap().iter();
    items.map(|item| item["code"].as_str().unwrap_or_default()).collect()
}

//= TS 23.280 §10.8.3.2 test
#[test]
fn mig_06_two_of_eight_groups_are_refused_and_six_go_on() {
    let stage = Stage::new();
    let groups = put_groups(&stage, 8, 16);
    let mut mia = stage.radio(MIA, &[]);
    let mut ana = stage.radio(ANA, &[]);
    stage.put_user(ANA, json!({"groups": groups}));
    stage.a.affiliate(&mut ana, wanted(&groups));
    let calls: Vec<_> = groups.iter().map(|group| stage.a.call(&ana, group, json!([]))).collect();
    stage.put_group(&groups[2], json!({"members": [{"user": ANA}]}));
    stage.put_group(&groups[5], json!({"enabled": false}));
    let moved = stage.b.take_over(&mut mia, A, wanted(&groups));
    assert_eq!(moved["phase"], "P9", "{moved}");
    assert_eq!(causes(&moved), ["", "", "not-a-member", "", "", "group-disabled", "", ""], "{moved}");
    for (number, item) in moved["groups"].as_array().unwrap().iter().enumerate() {
        assert_eq!(item["group"], groups[number], "in the order of the client");
        assert_eq!(item["entered"].is_null(), matches!(number, 2 | 5), "{item}");
        let there: &[&str] = if matches!(number, 2 | 5) { &[] } else { &[ANA, MIA] };
        if !there.is_empty() {
            stage.a.lists(&calls[number].call, there);
        }
    }
    stage.a.audited("affiliation-refused", Some("not-a-member"));
    stage.a.audited("affiliation-refused", Some("group-disabled"));
}

//= TS 24.379 §6.3.6 test
#[test]
fn mig_07_n2_leaves_the_first_groups_that_the_client_names() {
    let stage = Stage::new();
    let groups = put_groups(&stage, 5, 3);
    let order: Vec<String> = [4, 1, 3, 0, 2].into_iter().map(|number| groups[number].clone()).collect();
    let mut mia = stage.radio(MIA, &[]);
    let moved = stage.b.take_over(&mut mia, A, wanted(&order));
    assert_eq!(causes(&moved), ["", "", "", "n2-exceeded", "n2-exceeded"], "{moved}");
    let detail = moved["groups"][4]["detail"].as_str().unwrap();
    assert!(detail.contains("may be to 3"), "the user is told: {detail}");
    // Who gives one up may have another.
    let shown = stage.b.affiliate(&mut mia, wanted(&[groups[4].clone()]));
    assert_eq!(shown.iter().filter(|item| item["status"] == "affiliated").count(), 3, "{shown:?}");
}
