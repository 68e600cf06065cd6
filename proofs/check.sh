#!/usr/bin/env bash
# What the compiled development must pass: nothing is left out or assumed, coqchk, and all `Theorem`s together rest on these axioms at most:
expected='ClassicalDedekindReals.sig_forall_dec ClassicalDedekindReals.sig_not_dec FunctionalExtensionality.functional_extensionality_dep'
set -euo pipefail
cd "$(dirname "$0")"
sources=$(ls ./*.v checker/*.v | grep -v Extract | sed 's,^\./,,')

if grep -nE 'Admitted|admit|Axiom|Parameter' $sources; then
    echo "proofs: these lines leave out or assume something" >&2
    exit 1
fi
echo "coqchk: every file again, by the kernel alone (the standard library is taken as it is)"
coqchk -silent -Q . CGRO $(for v in $sources; do m=${v%.v}; echo "-norec CGRO.${m//\//.}"; done)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
theorems=$(for v in $sources; do grep -oE "^Theorem [A-Za-z0-9_']+" "$v" | sed "s,Theorem ,$(basename "$v" .v).," || true; done)
assumed() {  # the axioms of the theorems that are named, one a line (tuples of 20: Coq goes through the reals once for each command)
    { for v in $sources; do echo "From CGRO Require $(basename "$v" .v)."; done
      i=0
      while [ $# -gt 0 ]; do
          i=$((i + 1)); printf 'Definition together%s := (I' $i
          for _ in {1..20}; do [ $# -gt 0 ] && { printf ', %s' "@$1"; shift; }; done
          printf ').\nPrint Assumptions together%s.\n' $i
      done; } > "$work/Theorems.v"
    if ! coqc -Q . CGRO "$work/Theorems.v" > "$work/printed" ||
        [ "$(grep -cE '^(Axioms:|Closed under the global context)' "$work/printed")" != "$i" ]; then
        echo "what-these-theorems-assume-could-not-be-printed"
        return
    fi
    grep -vE '^(Axioms:|Closed under the global context| )' "$work/printed" | sed 's/ *:.*//' | sort -u || true
}
found=$(assumed $theorems)
others=$(comm -23 <(echo "$found") <(tr ' ' '\n' <<< "$expected" | sort))
printf '%s\n' $theorems
if [ -n "$others" ]; then
    for t in $theorems; do
        more=$(comm -23 <(assumed "$t") <(tr ' ' '\n' <<< "$expected" | sort))
        [ -z "$more" ] || echo "proofs: $t assumes" $more >&2
    done
    exit 1
fi
echo "$(wc -w <<< "$theorems") theorems; together they assume" $found
