package main

import (
	"io"
	"slices"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	o, err := parse([]string{"-size", "1GiB", "-latency", "0,5ms", "-stores", "s3,azure", "-scenarios", "^push"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.size != gib || o.chunked != 64*mib || !slices.Equal(o.latencies, []time.Duration{0, 5 * time.Millisecond}) ||
		!slices.Equal(o.stores, []string{"s3", "azure"}) || !o.scenarios.MatchString("push-mono") || o.scenarios.MatchString("tags") {
		t.Errorf("got %+v", o)
	}
	for _, args := range [][]string{
		{"-size", "0"}, {"-size", "much"}, {"-rounds", "0"}, {"-stores", "ftp"}, {"-latency", "20"}, {"-latency", "0,0s"}, {"-latency", "-1s"},
		{"-scenarios", "("}, {"-repositories", "0"}, {"-repositories", "10001"}, {"extra"},
	} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%q pass", args)
		}
	}
}

func TestScenarioKeys(t *testing.T) {
	o, err := parse(nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, s := range scenarios(o) {
		if slices.Contains(keys, s.key) {
			t.Errorf("two scenarios %s", s.key)
		}
		keys = append(keys, s.key)
		if s.reference == "" && s.run == nil || s.shared && s.prepare == nil || s.about == "" {
			t.Errorf("%s is incomplete", s.key)
		}
	}
}
