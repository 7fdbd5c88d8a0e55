package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/blobdock/blobdock/bench/usage"
	"github.com/blobdock/blobdock/driver"
)

// bench is a run under way.
type bench struct {
	options
	programs programs
	sites    []*site
	bar      *bar
	report   Report
}

// task is what one row is measured by.
type task struct {
	site     *site
	scenario scenario
	row      *Row
}

// measure makes all samples that the options ask for.
func measure(ctx context.Context, o options, stderr io.Writer) (Report, error) {
	dir, err := os.MkdirTemp("", "blobdock.bench.")
	if err != nil {
		return Report{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := &bench{options: o, report: Report{Machine: thisMachine(), Size: o.size, Rounds: o.rounds, Latencies: o.latencies}}
	if b.programs, err = build(ctx, dir); err != nil {
		return Report{}, err
	}
	b.report.Stock = version(b.programs.stock, "github.com/distribution/distribution/v3")
	b.report.Blobdock = revision(b.programs.blobdock)
	for _, name := range o.stores {
		at, stop, err := open(ctx, launchers[name], dir)
		if err != nil {
			return Report{}, fmt.Errorf("%s: %w", name, err)
		}
		defer stop()
		b.sites = append(b.sites, at)
	}
	tasks := b.tasks()
	if len(tasks) == 0 {
		return Report{}, fmt.Errorf("no scenario matches %q", o.scenarios)
	}
	b.bar = newBar(stderr, len(tasks)*(1+o.rounds*len(o.latencies)))
	defer b.bar.close()
	return b.report, b.all(ctx, tasks)
}

// open starts a store.
func open(ctx context.Context, launch launcher, dir string) (*site, func(), error) {
	direct, stop, err := launch(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	counted, proxy, err := direct.through()
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	at := &site{direct: direct, counted: counted, proxy: proxy}
	if at.seeded, err = direct.makeBucket(ctx); err != nil {
		proxy.Close()
		return nil, nil, errors.Join(err, stop())
	}
	return at, func() {
		proxy.Close()
		_ = stop() // its data goes along
	}, nil
}

// tasks are all of them, with their rows.
func (b *bench) tasks() []task {
	var tasks []task
	for _, at := range b.sites {
		for _, s := range scenarios(b.options) {
			if !b.scenarios.MatchString(s.key) || s.reference != "" && at.direct.name() != "s3" {
				continue
			}
			for _, r := range s.registries() {
				row := &Row{Store: at.direct.name(), Title: at.direct.title(), Scenario: s.key, About: s.about, Registry: r}
				if r == stock {
					row.NotRun = at.direct.cannot(s)
				}
				b.report.Rows = append(b.report.Rows, row)
				tasks = append(tasks, task{at, s, row})
			}
		}
	}
	return tasks
}

// all prepares, counts, and then goes through all tasks again and again, so that
// whatever else the machine does hits each of them alike.
func (b *bench) all(ctx context.Context, tasks []task) error {
	if err := b.prepareShared(ctx, tasks); err != nil {
		return err
	}
	for _, t := range tasks {
		if err := b.step(ctx, t, "count", func(ctx context.Context) error { return b.count(ctx, t) }); err != nil {
			return err
		}
	}
	for round := range b.rounds {
		for i := 0; i < len(tasks); {
			// Those of one scenario take turns.
			n := 1
			for i+n < len(tasks) && tasks[i+n].site == tasks[i].site && tasks[i+n].scenario.key == tasks[i].scenario.key {
				n++
			}
			for _, latency := range b.latencies {
				for _, t := range tasks[i : i+n] {
					stage := fmt.Sprintf("round %d, %v", round+1, latency)
					if err := b.step(ctx, t, stage, func(ctx context.Context) error { return b.sample(ctx, t, latency) }); err != nil {
						return err
					}
				}
			}
			i += n
		}
	}
	return nil
}

// step does one part of a task. A stage that fails is not tried again.
func (b *bench) step(ctx context.Context, t task, stage string, f func(context.Context) error) error {
	defer b.bar.done()
	if t.row.NotRun != "" {
		return nil
	}
	b.bar.show(fmt.Sprintf("%s %s %s, %s", t.row.Store, t.row.Scenario, t.row.Registry, stage))
	limited, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	if err := f(limited); err != nil {
		t.row.NotRun = fmt.Sprintf("%s: %v", stage, err)
	}
	return ctx.Err()
}

func (b *bench) prepareShared(ctx context.Context, tasks []task) error {
	prepared := make(map[string]bool) // by store and scenario
	for _, t := range tasks {
		id := t.row.Store + " " + t.scenario.key
		if !t.scenario.shared || prepared[id] {
			continue
		}
		prepared[id] = true
		b.bar.show(t.row.Store + " " + t.scenario.key + ", prepare")
		if err := b.prepare(ctx, t, t.site.seeded); err != nil {
			return fmt.Errorf("%s %s: prepare: %w", t.row.Store, t.scenario.key, err)
		}
	}
	return nil
}

// prepare fills a bucket, by a process of its own: blobdock, which is the faster
// one, and whose buckets either can use.
func (b *bench) prepare(ctx context.Context, t task, bucket string) (err error) {
	storage, env := section(t.site.direct, blobdock, bucket, false)
	p, err := b.programs.serve(ctx, blobdock, storage, env)
	if err != nil {
		return err
	}
	defer p.stop()
	v := newVisit(p.base, t.site.direct)
	defer v.close()
	if v.bucket, err = driver.Open(ctx, t.site.direct.url(bucket)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.bucket.Close()) }()
	return t.scenario.prepare(ctx, v)
}

// count executes a task once, through the proxy, for its requests.
func (b *bench) count(ctx context.Context, t task) error {
	t.site.proxy.Intercept(nil)
	if _, err := b.execute(ctx, t, t.site.counted); err != nil || t.scenario.reference == "sha256" {
		return err
	}
	c := t.site.proxy.Counts()
	t.row.Counts = &Counts{Requests: c.Requests(), Ops: c.Ops, Up: c.Sent, Down: c.Received, Copied: c.Copied}
	return nil
}

// sample executes a task once, for its time: straight to the store when there is
// no latency, as the proxy would take part of the machine.
func (b *bench) sample(ctx context.Context, t task, latency time.Duration) error {
	to := t.site.direct
	if latency > 0 {
		to = t.site.counted
		t.site.proxy.Intercept(delay(latency))
		defer t.site.proxy.Intercept(nil)
	}
	s, err := b.execute(ctx, t, to)
	if err == nil {
		run := t.row.run(latency)
		run.Samples = append(run.Samples, s)
	}
	return err
}

// execute does the work of a task in a new process, and on a bucket of its own
// where the work changes it.
func (b *bench) execute(ctx context.Context, t task, to store) (_ Sample, err error) {
	bucket := t.site.seeded
	if !t.scenario.shared {
		if bucket, err = t.site.direct.makeBucket(ctx); err != nil {
			return Sample{}, err
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			err = errors.Join(err, t.site.direct.dropBucket(ctx, bucket))
		}()
		if t.scenario.prepare != nil {
			if err := b.prepare(ctx, t, bucket); err != nil {
				return Sample{}, err
			}
		}
	}
	if t.scenario.reference != "" {
		return b.refer(ctx, t, to.(s3Store), bucket)
	}
	storage, env := section(to, t.row.Registry, bucket, t.scenario.redirect)
	p, err := b.programs.serve(ctx, t.row.Registry, storage, env)
	if err != nil {
		return Sample{}, err
	}
	defer p.stop()
	v := newVisit(p.base, to)
	defer v.close()
	if err := v.warm(ctx); err != nil {
		return Sample{}, err
	}
	_ = usage.ResetPeak(p.cmd.Process.Pid) // else the start counts, too
	before, err := usage.Of(p.cmd.Process.Pid)
	if err != nil {
		return Sample{}, err
	}
	t.site.proxy.Reset()
	began := time.Now()
	if err := t.scenario.run(ctx, v); err != nil {
		return Sample{}, p.explain(err)
	}
	wall := time.Since(began)
	after, err := usage.Of(p.cmd.Process.Pid)
	if err != nil {
		return Sample{}, err
	}
	return Sample{Wall: wall, CPU: after.CPU - before.CPU, Peak: after.Peak, Growth: max(0, after.Peak-before.RSS)}, nil
}

// refer runs the reference program.
func (b *bench) refer(ctx context.Context, t task, to s3Store, bucket string) (s Sample, err error) {
	large := b.large()
	key := "reference"
	if t.scenario.reference == "get" {
		hex := digestOf(large).Encoded()
		key = "docker/registry/v2/blobs/sha256/" + hex[:2] + "/" + hex + "/data"
	}
	dir, err := os.MkdirTemp("", "blobdock.bench.")
	if err != nil {
		return Sample{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	t.site.proxy.Reset()
	cmd := exec.CommandContext(ctx, b.programs.reference, t.scenario.reference,
		"-size", strconv.FormatInt(large.Size, 10), "-seed", strconv.FormatUint(large.Seed, 10),
		"-endpoint", to.Endpoint, "-region", to.Region, "-bucket", bucket, "-key", key)
	cmd.Env = append(environment(dir), "AWS_ACCESS_KEY_ID="+to.AccessKey, "AWS_SECRET_ACCESS_KEY="+to.SecretKey)
	var out, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		return Sample{}, fmt.Errorf("%w: %s", err, brief(stderr.String()))
	}
	return s, json.Unmarshal([]byte(out.String()), &s)
}
