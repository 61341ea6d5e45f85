//! What the documentation shows runs.

#[allow(dead_code, reason = "the program's own entry point is what is called")]
#[path = "../../examples/quickstart.rs"]
mod quickstart;

#[test]
fn the_quick_start_runs() {
    quickstart::main().expect("it ends well");
}
