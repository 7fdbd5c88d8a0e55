package verify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Clause is a test of the conformance suite that was run.
type Clause struct {
	Name   string
	Ended  bool // false for a test that was under way when the suite broke off
	Passed bool
	Took   time.Duration
	Said   []string // what the test said, one line each
}

// runSuite runs the conformance suite in a process of its own, as a test that fails there
// fails no other, and a crash takes nothing along. command is its command line, without
// the URL. Beside the clauses it returns what was said outside of them.
func runSuite(ctx context.Context, command []string, at string) (clauses []Clause, said []string, err error) {
	cmd := exec.CommandContext(ctx, command[0], append(append([]string{}, command[1:]...), at)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute // for the suite to abort its uploads
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	s := newScanner()
	scanErr := s.scan(out)
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil: // what was under way has not failed
		return slices.DeleteFunc(s.clauses(), func(c Clause) bool { return !c.Ended }), s.outside, ctx.Err()
	case errors.As(err, &exit) && s.ended: // tests failed, which the clauses tell
		err = scanErr
	case err != nil:
		err = fmt.Errorf("the suite broke off: %w: %.2000s", err, stderr.String())
	default:
		err = scanErr
	}
	return s.clauses(), s.outside, err
}

// scanner reads the output of a test binary under -test.v=test2json: lines that begin
// with ^V frame what tests say.
type scanner struct {
	order   []string
	byName  map[string]*Clause
	outside []string // what the test around the clauses says
	current string   // the test that speaks
	ended   bool     // the test around the clauses has ended
}

func newScanner() *scanner { return &scanner{byName: make(map[string]*Clause)} }

const frame = "\x16"

var (
	speaks = regexp.MustCompile(`^=== (?:RUN|NAME|CONT)\s+(\S+)`)
	// position is where a test says something.
	position = regexp.MustCompile(`^\S+\.go:\d+: `)
	ends     = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+) \(([0-9.]+)s\)`)
)

func (s *scanner) scan(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line, framed := strings.CutPrefix(lines.Text(), frame)
		// A frame may follow text that has no newline.
		if before, after, ok := strings.Cut(line, frame); ok {
			s.say(before)
			line, framed = after, true
		}
		if !framed || !s.framed(line) {
			s.say(line)
		}
	}
	return lines.Err()
}

// framed takes a framing line. It is false for another line.
func (s *scanner) framed(line string) bool {
	if m := speaks.FindStringSubmatch(line); m != nil {
		s.current = m[1]
		s.clause(m[1])
		return true
	}
	m := ends.FindStringSubmatch(line)
	if m == nil {
		return strings.HasPrefix(line, "=== ") || line == ""
	}
	s.current = ""
	if c := s.clause(m[2]); c != nil {
		took, _ := time.ParseDuration(m[3] + "s")
		if !strings.Contains(inside(m[2]), "/") {
			c.Ended, c.Passed, c.Took = true, m[1] != "FAIL", took
		}
	} else {
		s.ended = true
	}
	return true
}

// inside is a test's name without the test around the clauses; "" for that.
func inside(name string) string {
	_, rest, _ := strings.Cut(name, "/")
	return rest
}

// clause is that which a test belongs to; nil for the test around the clauses.
func (s *scanner) clause(name string) *Clause {
	name, _, _ = strings.Cut(inside(name), "/")
	if name == "" {
		return nil
	}
	c, ok := s.byName[name]
	if !ok {
		c = &Clause{Name: name}
		s.byName[name] = c
		s.order = append(s.order, name)
	}
	return c
}

// say notes a line for the test that speaks.
func (s *scanner) say(line string) {
	line = position.ReplaceAllString(strings.TrimSpace(line), "")
	if line == "" || line == "PASS" || line == "FAIL" {
		return
	}
	if c := s.clause(s.current); c != nil {
		c.Said = append(c.Said, line)
	} else {
		s.outside = append(s.outside, line)
	}
}

func (s *scanner) clauses() []Clause {
	all := make([]Clause, len(s.order))
	for i, name := range s.order {
		all[i] = *s.byName[name]
	}
	return all
}
