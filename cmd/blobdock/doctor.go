package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/spf13/cobra"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/check"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/probe"
	blobdock "github.com/blobdock/blobdock/registry"
)

type doctorFlags struct {
	sample         int
	timeout        time.Duration
	readOnly, json bool
}

func doctorCommand() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor CONFIG|URL",
		Short: "Describe a registry's store, health and configuration on one page, for a bug report",
		Long: `Describe a registry on one page, to attach to a bug report: versions, the machine's limits,
the store and the limits of its profile, the clocks, what "blobdock probe" finds, what
"blobdock check" finds in a sample of the repositories, what the configuration makes the
registry do, and the configuration with its defaults.

The argument is the configuration file that "blobdock serve" is started with, or a store's
URL, which stands for "blobdock serve --storage URL". REGISTRY_* variables count as they do
for serve.

The page has no secrets. It has the names of hosts, buckets, repositories and users.

The probe writes objects below ` + probe.Folder + `/ and removes them again. Nothing else is
written, and with --read-only nothing at all: permissions to write, conditional writes and
signed URLs are not tried then.

Exits with 1 when the page names a problem.`,
		Example: `  blobdock doctor /etc/blobdock/config.yml
  blobdock doctor --read-only 's3://my-bucket/registry?region=eu-west-1'
  blobdock doctor --json gs://my-bucket/registry > doctor.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDoctor(cmd.Context(), cmd.OutOrStdout(), args[0], f)
		},
	}
	cmd.Flags().IntVar(&f.sample, "sample", 10, "check so many repositories at most, the first by name; 0 checks none")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 2*time.Minute, "how long the store is examined at most")
	cmd.Flags().BoolVar(&f.readOnly, "read-only", false, "write nothing to the store")
	cmd.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	return cmd
}

// sampleTime bounds the check of the sample: it lists all blobs, of which there may be
// millions.
const sampleTime = 30 * time.Second

func runDoctor(ctx context.Context, out io.Writer, target string, f doctorFlags) error {
	switch {
	case f.sample < 0:
		return fmt.Errorf("--sample %d: want 0 or more", f.sample)
	case f.timeout < time.Second:
		return fmt.Errorf("--timeout %v: want 1s or more", f.timeout)
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	r := newReport(f.readOnly)
	r.examine(ctx, target, f)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	write := r.print
	if f.json {
		write = r.printJSON
	}
	if err := write(out); err != nil {
		return err
	}
	if n := len(r.Problems); n > 0 {
		return fmt.Errorf("doctor %s: %s", redact(target), counted(n, "problem"))
	}
	return nil
}

// configurationOf is what serve makes of a configuration file, or of a storage URL.
func configurationOf(target string) (*configuration.Configuration, error) {
	serve, f := serveCommand(), serveFlags{storage: defaultStorage, listen: defaultListen, redirect: "on", logLevel: "warn"}
	if !strings.Contains(target, "://") {
		return configure(serve, f, []string{target})
	}
	if err := serve.Flags().Set("storage", target); err != nil {
		return nil, err
	}
	f.storage = target
	return configure(serve, f, nil)
}

// examine fills the report in. What fails is a problem on it.
func (r *report) examine(ctx context.Context, target string, f doctorFlags) {
	r.sieve = environmentSecrets()
	config, err := configurationOf(target)
	if err != nil {
		r.problem("configuration", errors.New(hideQuoted(err.Error())))
		return
	}
	r.sieve.addConfig(config)
	// The printed configuration has neither the secrets nor the URL's options: it comes last.
	defer func() {
		if r.tree, err = effective(ctx, config); err != nil && len(r.Problems) == 0 { // else it is told
			r.problem("configuration", err)
		}
	}()
	r.Storage.URL = describeStorage(config)
	if config.Storage.Type() != blobdock.Name {
		r.problem("storage", fmt.Errorf("driver %s is not blobdock, and is not examined", config.Storage.Type()))
		return
	}
	c, err := blobdock.ParseConfig(config.Storage.Parameters())
	if err != nil {
		r.problem("storage", err)
		return
	}
	within, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	r.examineStore(within, c, f)
	for name, value := range r.Storage.Found {
		if c.Takes(name) {
			config.Storage[blobdock.Name][name] = value
		}
	}
	if r.features.Name == "" {
		return // it could not be opened
	}
	if r.Effects, err = effectsOf(config, c, r.features); err != nil {
		r.problem("configuration", err)
	}
}

// examineStore probes the store and checks the sample.
func (r *report) examineStore(ctx context.Context, c blobdock.Config, f doctorFlags) {
	r.examineMemory(c.Options.MemoryBudget)
	open := opener(existing(c))
	b, found, err := probe.Open(ctx, open)
	if b == nil {
		r.problem("storage", err)
		return
	}
	defer b.Close()
	r.Storage.Found = found
	r.see(b.Features())
	if !r.probe(ctx, b) {
		return
	}
	if !f.readOnly {
		// What serve finds out at its start.
		adapted, err := probe.Adapt(ctx, open)
		if err != nil {
			r.remark("storage", "not all is known of the store: "+err.Error())
		}
		r.Storage.Found = adapted.Options
	}
	if s, ok := b.(storeBucket); ok && f.sample > 0 {
		r.checkSample(ctx, s.store, f.sample)
	}
}

// existing is c for a directory that must be there: a mistyped name is not an empty store.
func existing(c blobdock.Config) blobdock.Config {
	u, err := driver.ParseURL(c.URL)
	if err == nil && u.Scheme == "file" && !u.Query().Has("create") && c.Overrides["create"] == "" {
		c.Overrides = maps.Clone(c.Overrides)
		if c.Overrides == nil {
			c.Overrides = driver.Overrides{}
		}
		c.Overrides["create"] = "false"
	}
	return c
}

// probe reports whether the store answers. Checks of one that does not would each wait for it.
func (r *report) probe(ctx context.Context, b driver.Bucket) bool {
	run := probe.Run
	if r.ReadOnly {
		run = probe.Look
	}
	for result := range run(ctx, b) {
		if result.Err != nil {
			result.Err = errors.New(r.sieve.clean(result.Err.Error()))
		}
		result.Detail = r.sieve.clean(result.Detail)
		r.Probe = append(r.Probe, result)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			break
		}
		switch result.Status {
		case probe.Failed:
			text := result.Err.Error()
			if result.Grant != "" {
				text += "; grant " + result.Grant
			}
			r.problem("probe, "+result.Check, errors.New(text))
			if result.Check == "list" {
				return false
			}
		case probe.Advised:
			r.remark("probe, "+result.Check, result.Detail)
		}
	}
	if ctx.Err() != nil {
		r.problem("probe", errors.New("the store did not answer all requests within --timeout"))
	}
	return ctx.Err() == nil
}

// checkSample checks the first repositories.
func (r *report) checkSample(ctx context.Context, store *blobstore.Store, most int) {
	ctx, cancel := context.WithTimeout(ctx, sampleTime)
	defer cancel()
	s := &sample{}
	r.Sample = s
	began := time.Now()
	defer func() { s.Took = time.Since(began) }()
	for name, err := range store.Repositories(ctx, "") {
		if err != nil {
			s.ended(ctx, r, err)
			return
		}
		s.Repositories = append(s.Repositories, name)
		if len(s.Repositories) == most {
			break
		}
	}
	if len(s.Repositories) == 0 {
		s.Complete = true
		r.remark("sample", "no repository is there: either nothing was pushed, or the prefix is wrong")
		return
	}
	var err error
	s.Summary, err = check.Run(ctx, store.Bucket(), check.Options{Repositories: s.Repositories, OlderThan: sampleAge, OnFinding: func(found check.Finding) {
		if found.Kind.Damage() && len(s.Findings) < findingsKept {
			s.Findings = append(s.Findings, found)
		}
	}})
	if err != nil {
		s.ended(ctx, r, err)
		return
	}
	s.Complete = true
	if n := s.Summary.Damaged; n > 0 {
		r.problem("sample", fmt.Errorf("%d damaged: run blobdock check", n))
	}
}

// ended notes why the check did not get to its end.
func (s *sample) ended(ctx context.Context, r *report, err error) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		r.remark("sample", fmt.Sprintf("the check was cut short after %v: run blobdock check", sampleTime))
		return
	}
	r.problem("sample", err)
}

// counted is a number and a noun.
func counted(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	default:
		return fmt.Sprintf("%d %ss", n, noun)
	}
}
