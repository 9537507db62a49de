//! Imports flow down (docs/ARCHITECTURE.md).

/// A package of the project and the packages of the project that it depends on, in any section.
#[derive(Debug)]
pub(crate) struct Package {
    name: String,
    needs: Vec<String>,
}

/// Who may need whom. Who is not listed needs nobody, and nobody needs `bench` or `loadtest`.
const ARROWS: [(&str, &[&str]); 6] = [
    ("relay", &["relay-core", "relay-table"]),
    ("relay-fuzz", &["relay-core"]),
    ("control-core", &["relay-core"]),
    ("control", &["control-core", "relay", "relay-core"]),
    ("bench", &["control", "control-core", "relay", "relay-core", "relay-table"]),
    ("loadtest", &["control", "control-core", "relay", "relay-core", "relay-table"]),
];

const PACKAGES: [&str; 8] =
    ["bench", "control", "control-core", "loadtest", "relay", "relay-core", "relay-fuzz", "relay-table"];

/// Reads a manifest; `None` if it has no package.
pub(crate) fn package(manifest: &str) -> Option<Package> {
    let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
    let name = manifest.get("package")?.get("name")?.as_str()?.to_owned();
    let needs = dependencies(&manifest).into_iter().map(|(key, _)| key).filter(|key| PACKAGES.contains(&key.as_str()));
    Some(Package { name, needs: needs.collect() })
}

/// Every dependency of every section, also of those under a target.
fn dependencies(table: &toml::Table) -> Vec<(String, &toml::Value)> {
    let mut found = Vec::new();
    for (key, value) in table {
        let Some(inner) = value.as_table() else { continue };
        match key.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => {
                found.extend(inner.iter().map(|(name, value)| (name.clone(), value)));
            }
            _ => found.extend(dependencies(inner)),
        }
    }
    found
}

pub(crate) fn check(packages: &[Package]) -> Vec<String> {
    let wrong = |package: &Package| {
        let allowed = ARROWS.iter().find(|row| row.0 == package.name).map_or(&[][..], |row| row.1);
        let bad = package.needs.iter().filter(|need| !allowed.contains(&need.as_str()));
        bad.map(|need| format!("{} depends on {need}: imports flow down", package.name)).collect::<Vec<_>>()
    };
    packages.iter().flat_map(wrong).collect()
}

/// A package of ours under another name would hide an arrow from `check`, which reads names.
pub(crate) fn check_renames(path: &str, manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
    let renamed = |(key, value): &(String, &toml::Value)| {
        let package = value.get("package")?.as_str()?.to_owned();
        (PACKAGES.contains(&package.as_str()) && package != *key)
            .then(|| format!("{path}: {package} goes by the name {key}; give it its own"))
    };
    dependencies(&manifest).iter().filter_map(renamed).collect()
}

#[cfg(test)]
fn needing(name: &str, section: &str, need: &str) -> Vec<String> {
    check(&[package(&format!("[package]\nname = \"{name}\"\n[{section}]\n{need}.workspace = true\n")).unwrap()])
}

#[test]
fn an_arrow_that_points_up_is_seen() {
    assert!(needing("relay", "dependencies", "relay-core").is_empty());
    assert!(needing("loadtest", "dev-dependencies", "relay-table").is_empty());
    for (name, need) in [
        ("relay", "control"),
        ("relay", "control-core"),
        ("relay-core", "relay-table"),
        ("relay-table", "relay-core"),
        ("relay-core", "relay"),
        ("control-core", "relay"),
        ("control-core", "control"),
        ("control", "relay-table"),
        ("control", "loadtest"),
        ("loadtest", "bench"),
        ("bench", "loadtest"),
        ("relay-fuzz", "relay"),
    ] {
        for section in ["dependencies", "dev-dependencies", "build-dependencies", "target.'cfg(loom)'.dependencies"] {
            assert_eq!(needing(name, section, need).len(), 1, "{name} {section} {need}");
        }
    }
}

#[test]
fn an_arrow_under_another_name_is_seen() {
    let renamed = "[workspace.dependencies]\nplane = { package = \"control\", path = \"control\" }\n";
    assert_eq!(check_renames("Cargo.toml", renamed).len(), 1);
    assert!(
        check_renames("Cargo.toml", "[dependencies]\nquic = { package = \"quinn-udp\", version = \"1\" }\n").is_empty()
    );
}
