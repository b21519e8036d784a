//! Keeps in the page's WASM where its functions refer to each other: the site's build takes it apart by that.
//! Here and not in the flags of every crate, because only the linker is to know.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|target| target == "wasm32") {
        println!("cargo::rustc-link-arg-cdylib=--emit-relocs");
    }
}
