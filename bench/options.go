package main

import (
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/blobdock/blobdock/bench/content"
	"github.com/blobdock/blobdock/driver"
)

// options are the command's flags.
type options struct {
	size         int64 // of a large blob
	chunked      int64 // of a blob that comes in chunks, for which stock takes time by the square of its size
	rounds       int
	stores       []string
	scenarios    *regexp.Regexp
	latencies    []time.Duration
	repositories int
	timeout      time.Duration // of one sample

	json, markdown, svg string
	check               bool
}

const (
	kib = int64(1) << 10
	mib = int64(1) << 20
	gib = int64(1) << 30
)

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{size: 256 * mib, scenarios: regexp.MustCompile(""), latencies: []time.Duration{0, 20 * time.Millisecond}}
	o.stores = slices.Collect(storeNames)
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Func("size", "`size` of a large blob, such as 1GiB (default 256MiB)", bytesTo(&o.size))
	flags.Func("chunked", "`size` of a blob that comes in chunks (default that of a large one, at most 64MiB)", bytesTo(&o.chunked))
	flags.IntVar(&o.rounds, "rounds", 3, "`samples` of each number, of which the median is shown")
	flags.Func("stores", "`names` of stores (default s3,gcs,azure)", func(s string) error {
		o.stores = strings.Split(s, ",")
		for _, name := range o.stores {
			if launchers[name] == nil {
				return fmt.Errorf("no store %q, want some of %s", name, strings.Join(slices.Collect(storeNames), ", "))
			}
		}
		return nil
	})
	flags.Func("scenarios", "only those whose name matches the `regexp`", func(s string) (err error) {
		o.scenarios, err = regexp.Compile(s)
		return err
	})
	flags.Func("latency", "`durations` that the store takes longer for each request (default 0,20ms)", func(s string) error {
		o.latencies = nil
		for word := range strings.SplitSeq(s, ",") {
			d, err := time.ParseDuration(word)
			if err != nil || d < 0 || slices.Contains(o.latencies, d) {
				return fmt.Errorf("%q: want different durations such as 0,20ms", word)
			}
			o.latencies = append(o.latencies, d)
		}
		return nil
	})
	flags.IntVar(&o.repositories, "repositories", 1000, "`number` of repositories in the catalog")
	flags.DurationVar(&o.timeout, "timeout", 20*time.Minute, "most that one sample may take")
	flags.StringVar(&o.json, "json", "", "write all samples to `FILE`")
	flags.StringVar(&o.markdown, "markdown", "", "write the table to `FILE`")
	flags.StringVar(&o.svg, "svg", "", "write a chart of the ratios to `FILE`")
	flags.BoolVar(&o.check, "check", false, "hold the numbers against what blobdock promises; fails if one is missed")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if o.chunked == 0 {
		o.chunked = min(o.size, 64*mib)
	}
	switch {
	case flags.NArg() > 0:
		return options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.rounds < 1:
		return options{}, fmt.Errorf("-rounds %d: want at least 1", o.rounds)
	case o.repositories < 1 || o.repositories > maxCatalog:
		return options{}, fmt.Errorf("-repositories %d: want 1 to %d", o.repositories, maxCatalog)
	}
	return o, nil
}

func bytesTo(size *int64) func(string) error {
	return func(s string) (err error) {
		if *size, err = driver.ParseBytes(s); err == nil && *size < 1 {
			err = fmt.Errorf("want at least 1 byte")
		}
		return err
	}
}

// storeNames are in the order of the table.
var storeNames = slices.Values([]string{"s3", "gcs", "azure"})

// launchers start the emulators, by the store's name.
var launchers = map[string]launcher{"s3": launchS3, "gcs": launchGCS, "azure": launchAzure}

// large is what a large blob consists of.
func (o options) large() content.Content { return content.Content{Size: o.size, Seed: 1} }
