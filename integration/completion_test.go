package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shells are how shells load a script, from $SCRIPT, and print how the words in $LINE go on.
// bash, zsh and fish are asked as the Tab key asks them. zsh has no way to complete without a
// terminal, so that its function is called with the words.
var shells = map[string]string{
	"bash": `
_get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD; } # of bash-completion
. "$SCRIPT"
set -- $LINE
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_TYPE=9
$(complete -p blobdock | sed 's/.*-F \([^ ]*\) .*/\1/')
for word in "${COMPREPLY[@]}"; do echo "${word%% *}"; done`,
	"zsh": `
autoload -U compinit && compinit -D -u
. "$SCRIPT"
[ "$_comps[blobdock]" = _blobdock ] || exit 1
_describe() { print -l -- ${completions%%:*}; } # shows what the caller has found
words=(${=LINE}) CURRENT=${#${=LINE}}
_blobdock`,
	"fish": `
source $SCRIPT
complete -C $LINE | string split --fields 1 \t
true # split fails where there is nothing to split`,
}

// TestCompletions loads the completions into the shells that are here, of which bash always is.
func TestCompletions(t *testing.T) {
	t.Parallel()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(path, filepath.Join(bin, "blobdock")); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+bin)
	for shell, script := range shells {
		if _, err := exec.LookPath(shell); err != nil {
			if shell == "bash" {
				t.Error(err)
			}
			t.Logf("NOT RUN: %s is not here", shell)
			continue
		}
		generate := exec.CommandContext(t.Context(), path, "completion", shell)
		text, err := generate.Output()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(bin, shell)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		for line, want := range map[string]string{
			"blobdock doc":                 "doctor",
			"blobdock doctor --read":       "--read-only",
			"blobdock usage --sort untagg": "untagged",
		} {
			args := []string{"-c", script}
			if shell == "zsh" {
				args = []string{"-f", "-c", script} // no files of the user's
			}
			cmd := exec.CommandContext(t.Context(), shell, args...)
			cmd.Env = append(slices.Clone(env), "SCRIPT="+file, "LINE="+line)
			out, err := cmd.CombinedOutput()
			if err != nil || !slices.Contains(strings.Fields(string(out)), want) {
				t.Errorf("%s: %q goes on with %q (%v), want %q", shell, line, out, err, want)
			}
		}
	}
	if out, err := exec.CommandContext(t.Context(), path, "completion", "powershell").Output(); err != nil || !strings.Contains(string(out), "Register-ArgumentCompleter -CommandName 'blobdock'") {
		t.Errorf("powershell: %v, %.200q", err, out)
	}
}
