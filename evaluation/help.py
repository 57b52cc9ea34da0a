"""The one page of help that `evaluate --help` prints."""

HELP = """\
evaluate: what did a public programme do, and how sure can one be when one unit was treated?

  evaluate SPEC                  write reports/NAME.html, NAME.json and NAME/*.csv
                                 (NAME.da.html and NAME.en.html with two languages)
  evaluate SPEC --check          read spec and data, say what would be done and how long it takes
  evaluate SPEC --plan           what a comparison not made yet could find; --json for numbers
  evaluate SPEC --json           the result as JSON on standard output, and nothing else there
  evaluate SPEC --strict         exit with 7 if a check fails, the auditor's sixteen among them
  evaluate SPEC --audit          write NAME.audit.html too: everything traced, for auditors
  evaluate --init NAME           write a commented spec that works as it stands
  evaluate --methods [NAME]      what there is to choose from; or one method, in full
  evaluate --schema              the JSON Schema of specs, for completion in the editor
  evaluate --render RESULT.json  write the pages again, without any data
  evaluate --simulate DIR        write synthetic person registers to practise on

options
  --output DIR      write to DIR instead of reports
  --language da|en  one page, and the answer, in this language
  --seed N          instead of the spec's seed
  --force           replace files that evaluate did not write; with --init, replace any
  --quiet           no progress
  --scenario S      with --simulate: what is made to happen (default: effect)
  --persons N       with --simulate: persons in the benefit register (default: 70000)
  --version         the version
  --help            this page

examples
  evaluate --init jobs && evaluate jobs.toml
  evaluate specs/hjorring_employment.toml --language da
  evaluate specs/california.toml --json > california.json

exit codes
  0  written, whatever the answer    4  the data do not fit the spec
  1  not foreseen: a bug             5  the headline cannot be estimated
  2  wrong usage                     6  nothing may be published
  3  something is wrong in the spec  7  a check failed, under --strict

Progress goes to standard error, the answer to standard output; NO_COLOR is obeyed."""
