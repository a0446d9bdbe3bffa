# Takes the lines of error paths out of lcov's records: awk -f tests/error_paths.awk all.info >rest.info, at the top of the
# tree, whose sources it reads. What an error path is follows from names and layout alone (.clang-format sees to that):
#   1. a statement that tells or makes a failure: a call of a function one of whose words is fail, reject, refuse, unknown
#      or out_of_memory (sk_fail, fail_tensor, sk_onnx_refuse), sk_usage_error or sk_tell, also where it is assigned to a
#      status; a line for stderr, the return of a constant that is one (SK_OUT_OF_MEMORY, SK_EXIT_FAILURE). No error of
#      numbers is one (sk_error_l2), nor is what tells results (sk_compare_tell_slower);
#   2. a block that ends with such a statement, or that is entered if a status is bad and ends by returning it;
#   3. the body of a function of such a name.
# `if (status) return status;` is a line that runs either way, and stays.

# `last` is what the last statement of a block does; is_entry[depth] is 1 for a block behind a condition, 2 if that is a
# status.

BEGIN {
  name = "(([a-z0-9]+_)*(fail|reject|refuse|unknown|out_of_memory)(_[a-z0-9]+)*|sk_usage_error|(sk_)?tell|tell_missing_argument)[(]"
  failure = "(SK_OUT_OF_MEMORY|SK_INVALID_ARGUMENT|SK_BAD_FORMAT|SK_IO_ERROR|SK_UNSUPPORTED|SK_EXIT_FAILURE|" \
    "SK_EXIT_USAGE|SK_PARSED_ERROR)"
  message = "fprintf[(]stderr, \".*\\\\n\"" # of whole lines, which a progress is not
  statement = "^(: |return |([a-z]+->)?status = )?(" name "|" message "|return " failure ";|code = " failure ";)"
  tail = "(return|:|[)]|status =) (" name "|" message ")" # behind an if or a question, on its line
  body = "^(static )?[a-z].*[ *]" name ".*[{]$"
  passes_on = "^return (status|code);"
}

function mark(path, from, to) { while (from <= to) error_line[path, from++] = 1 }

# Mark the lines of error paths in a source file.
function read_source(path,    line, number, depth, start, is_error, is_entry, is_body, last, inside, text, ends) {
  number = depth = inside = 0
  last = ""
  while ((getline line <path) > 0) {
    number++
    text = line
    sub(/^ +/, "", text)
    sub(/ *\/\*.*\*\/ *$/, "", text) # a comment behind it
    if (text ~ /^}/ && depth > 0) {
      if (is_body[depth] || (is_entry[depth] && (last == "error" || (last == "passes on" && is_entry[depth] == 2)))) {
        mark(path, start[depth] + 1, number)
      }
      depth--
      last = ""
    }
    ends = text ~ /[;{}]$/
    if (inside || text ~ statement) {
      mark(path, number, number)
      inside = !ends
      last = "error"
    } else if (text ~ tail) {
      inside = !ends # only what follows on further lines
      last = ""
    } else if (text !~ /^}?$/) {
      last = text ~ passes_on ? "passes on" : ""
    }
    if (text ~ /[{]$/) {
      depth++
      start[depth] = number
      is_body[depth] = line ~ body
      is_entry[depth] = text ~ /if [(](status|!?status|code|failed)[)] [{]$/ ? 2 : text ~ /^(} else )?if [(]|^} else [{]/ ? 1 : 0
      if (text ~ /^}? ?(else )?if |^} else|^for |^while |^switch /) last = ""
      inside = 0
    }
  }
  close(path)
}

/^SF:/ {
  path = substr($0, 4)
  if (!(path in known)) read_source(path)
  known[path] = 1
  found = hit = 0
}
/^DA:/ {
  split(substr($0, 4), field, ",")
  if ((path, field[1]) in error_line) next
  found++
  hit += field[2] > 0
}
/^LF:/ { $0 = "LF:" found }
/^LH:/ { $0 = "LH:" hit }
{ print }
