//! Imports flow down (docs/ARCHITECTURE.md).

/// A package of the workspace and the packages of the workspace that it depends on, in any section.
#[derive(Debug)]
pub(crate) struct Package {
    name: String,
    needs: Vec<String>,
}

/// Who may need whom. Who is not listed needs nobody.
const ARROWS: [(&str, &[&str]); 5] = [
    ("relay", &["relay-core", "relay-table"]),
    ("control-core", &["relay-core"]),
    ("control", &["control-core", "relay", "relay-core"]),
    ("bench", &["control", "control-core", "relay", "relay-core", "relay-table"]),
    ("loadtest", &["control", "control-core", "relay", "relay-core"]),
];

const PACKAGES: [&str; 7] = ["bench", "control", "control-core", "loadtest", "relay", "relay-core", "relay-table"];

/// Reads a manifest; `None` if it has no package.
pub(crate) fn package(manifest: &str) -> Option<Package> {
    let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
    let name = manifest.get("package")?.get("name")?.as_str()?.to_owned();
    let mut needs = Vec::new();
    collect(&manifest, &mut needs);
    Some(Package { name, needs })
}

fn collect(table: &toml::Table, needs: &mut Vec<String>) {
    for (key, value) in table {
        let Some(inner) = value.as_table() else { continue };
        match key.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => {
                needs.extend(inner.keys().filter(|name| PACKAGES.contains(&name.as_str())).cloned());
            }
            _ => collect(inner, needs),
        }
    }
}

pub(crate) fn check(packages: &[Package]) -> Vec<String> {
    let wrong = |package: &Package| {
        let allowed = ARROWS.iter().find(|row| row.0 == package.name).map_or(&[][..], |row| row.1);
        let bad = package.needs.iter().filter(|need| !allowed.contains(&need.as_str()));
        bad.map(|need| format!("{} depends on {need}: imports flow down", package.name)).collect::<Vec<_>>()
    };
    // The fuzz targets are a workspace of their own beside the parsers that they feed.
    packages.iter().filter(|package| package.name != "relay-fuzz").flat_map(wrong).collect()
}

#[test]
fn an_arrow_that_points_up_is_seen() {
    let relay = |section: &str, need: &str| {
        package(&format!("[package]\nname = \"relay\"\n[{section}]\n{need}.workspace = true\n")).unwrap()
    };
    assert!(check(&[relay("dependencies", "relay-core")]).is_empty());
    assert_eq!(check(&[relay("dependencies", "control")]).len(), 1);
    assert_eq!(check(&[relay("dev-dependencies", "bench")]).len(), 1);
    assert_eq!(check(&[relay("target.'cfg(loom)'.dependencies", "loadtest")]).len(), 1);
    assert_eq!(
        check(&[package("[package]\nname = \"relay-core\"\n[dependencies]\nrelay-table = \"1\"\n").unwrap()]).len(),
        1
    );
}
