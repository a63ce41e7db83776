//! Names of template.yaml in the Terraform module. `make terraform` compares the two property by property, where
//! Terraform is installed; this test needs nothing, so that a change of one file alone is noticed on every computer.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

const TEMPLATE: &str = include_str!("../../../template.yaml");

/// Returns the text of all files of the module.
fn module() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("terraform");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "tf"));
    files.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Returns the names in a section of the template.
fn names_in(section: &str) -> BTreeSet<String> {
    let from = TEMPLATE.find(&format!("\n{section}:\n")).unwrap() + 1;
    let rest = &TEMPLATE[from + section.len() + 2..];
    let end = Regex::new(r"\n[A-Za-z]").unwrap().find(rest).map_or(rest.len(), |next| next.start());
    all(r"(?m)^  ([A-Za-z]+):$", &rest[..end])
}

fn all(pattern: &str, text: &str) -> BTreeSet<String> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// Returns a name of the template in the module's form: `ApiUrl` is `api_url`.
fn separated(name: &str, separator: &str) -> String {
    let words = Regex::new("[A-Z][a-z0-9]*").unwrap();
    words.find_iter(name).map(|word| word.as_str().to_lowercase()).collect::<Vec<_>>().join(separator)
}

#[test]
fn the_module_has_every_resource_of_the_template() {
    let module = module();
    let labels = all(r#"(?m)^resource "[a-z0-9_]+" "([a-z_]+)""#, &module);
    // Resources of the same kind are one block with many keys. The end of a name is the block's label.
    let keys = all(r"(?m)^ +([a-z-]+) += [{\x22]", &module);
    let resources = names_in("Resources");
    assert!(resources.len() > 90, "{}", resources.len());
    // The longer end first: an alarm about a capacity has the key of that capacity.
    let ends = ["CapacityAlarm", "Alarm", "Capacity", "QueuePolicy", "Route", "Scaling"];
    for resource in &resources {
        let key = ends.iter().find_map(|end| resource.strip_suffix(end));
        let is_there =
            labels.contains(&separated(resource, "_")) || key.is_some_and(|key| keys.contains(&separated(key, "-")));
        assert!(is_there, "terraform/ has no {resource}: terraform/README.md says how it is called there");
    }
}

#[test]
fn the_module_has_the_parameters_and_outputs_of_the_template() {
    let module = module();
    let own = ["name", "package_directory"].map(str::to_owned);
    let variables = all(r#"(?m)^variable "([a-z_]+)""#, &module);
    let expected = names_in("Parameters").iter().map(|name| separated(name, "_")).chain(own).collect();
    assert_eq!(variables, expected);
    let outputs = all(r#"(?m)^output "([a-z_]+)""#, &module);
    assert_eq!(outputs, names_in("Outputs").iter().map(|name| separated(name, "_")).collect());
}
