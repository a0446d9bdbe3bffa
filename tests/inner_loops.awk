# Find the inner loops in a listing of objdump -d --no-show-raw-insn, of x86-64 or AArch64. For each it prints
#
#   loop FUNCTION ADDRESS FRAME      FRAME: 1 where the function keeps its stack's frame in %rbp, else 0
#   ADDRESS INSTRUCTION              ... one line each
#   end
#
# An inner loop is a backward jump whose body holds no other one.
function number(hex,    i, n) {
  n = 0
  for (i = 1; i <= length(hex); i++) n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
  return n
}

# Whether instructions j to i, of which the last jumps to the first, are an inner loop. What returns in between jumps
# back to shared code instead.
function is_inner(j, i,    k) {
  for (k = j; k < i; k++) if ((k in target && target[k] >= target[i]) || text[k] ~ /^ret/) return 0
  return text[i] !~ /^ret/
}

# Look through one function: addresses, instructions and, for backward jumps, their targets.
function finish(    i, j, k) {
  for (i = 1; i <= n; i++) {
    if (!(i in target)) continue
    for (j = i; j > 0 && address[j] > target[i]; j--) {}
    if (j == 0 || address[j] != target[i] || !is_inner(j, i)) continue # the first two lead out of the function
    print "loop", name, hex[j], frame + 0
    for (k = j; k <= i; k++) print hex[k], text[k]
    print "end"
  }
  n = 0; frame = 0
  split("", target)
}

/^[0-9a-f]+ <.*>:$/ { finish(); name = $2; gsub(/[<>:]/, "", name); next }
/^ *[0-9a-f]+:/ {
  n++
  hex[n] = $1; sub(/:/, "", hex[n])
  address[n] = number(hex[n])
  text[n] = $0; sub(/^ *[0-9a-f]+:[ \t]*/, "", text[n])
  if (text[n] ~ /^(mov +%rsp,%rbp|lea .*[(]%rsp[)],%rbp)/) frame = 1
  # x86: "jne 1a0 <f+0x20>"; Arm: "b.ne 1a0 <f+0x20>", "cbnz x0, 1a0 <f+0x20>"
  if (text[n] ~ /^(j[a-z]+|b|b[.][a-z]+|cbn?z|tbn?z)[ \t].*[0-9a-f]+ </) {
    to = text[n]; sub(/ <.*/, "", to); sub(/.*[ \t,]/, "", to)
    if (number(to) <= address[n]) target[n] = number(to)
  }
}
END { finish() }
