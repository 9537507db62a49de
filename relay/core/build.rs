//! Makes the trunk's messages out of `docs/proto/trunk.proto`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (proto, include) = ("../../docs/proto/trunk.proto", "../../docs/proto");
    println!("cargo::rerun-if-changed={proto}");
    let files = protox::compile([proto], [include])?;
    let mut config = prost_build::Config::new();
    config.btree_map(["."]);
    config.compile_fds(files)?;
    Ok(())
}
