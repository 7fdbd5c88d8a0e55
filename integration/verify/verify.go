package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"google.golang.org/api/storage/v1"

	_ "github.com/blobdock/blobdock/azure" // azblob://
	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/gcs" // gs://
	"github.com/blobdock/blobdock/internal/lend"
	"github.com/blobdock/blobdock/probe"
	_ "github.com/blobdock/blobdock/s3" // s3://
)

// Options say what a run does. The zero value of each field leaves its part out.
type Options struct {
	// URL names the bucket, as s3://my-bucket?region=eu-west-1 does. A prefix in it stands
	// before the run's own.
	URL string
	// Suite is the command line of a test binary that runs [Suite] on the URL that is put
	// behind it, with -test.v=test2json.
	Suite []string
	// Version is blobdock's, for the report.
	Version string
	// Log is told how the run gets on.
	Log func(format string, args ...any)
}

// Run verifies a bucket. The error is that of a URL that can't be opened; all else that
// goes wrong is in the report. When ctx ends, the run stops, removes its objects and
// reports what it has.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	p, err := newPlace(o.URL)
	if err != nil {
		return nil, err
	}
	l, err := driver.Parse(ctx, o.URL, nil)
	if err != nil {
		return nil, err
	}
	whole, err := p.open(ctx, "")
	if err != nil {
		return nil, err
	}
	defer whole.Close()
	r := &run{Options: o, place: p, report: &Report{
		Began: time.Now(), Version: o.Version, Prefix: p.name, bucket: p.bucket(), Features: whole.Features(), Settings: l.Settings(),
	}}
	r.parts(ctx)
	o.Log("removing what lies below %s/", p.name)
	ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	r.report.Removal = remove(ended, r.requests.patient(whole), r.uploads.list())
	r.report.Interrupted = ctx.Err() != nil
	r.report.Took = time.Since(r.report.Began)
	r.report.Requests, r.report.Throttled = r.requests.sent.Load(), r.requests.throttled.Load()
	return r.report, nil
}

// run is one run.
type run struct {
	Options
	place
	requests requests
	uploads  keys
	report   *Report
}

// parts makes the parts of the run, one after the other, until ctx ends.
func (r *run) parts(ctx context.Context) {
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"probe", r.probe},
		{"questions", r.questions},
		{"registry", r.registry},
		{"conformance", r.conformance},
	} {
		if ctx.Err() != nil {
			return
		}
		r.Log("%s", part.name)
		if err := part.do(ctx); err != nil && ctx.Err() == nil {
			r.report.Broken = append(r.report.Broken, Broken{part.name, err})
		}
	}
}

func (r *run) probe(ctx context.Context) error {
	b, err := r.open(ctx, "probe")
	if err != nil {
		return err
	}
	defer b.Close()
	for res := range probe.Run(ctx, r.uploads.watch(r.requests.patient(b), "probe/")) {
		if ctx.Err() != nil {
			break
		}
		r.report.Checks = append(r.report.Checks, res)
	}
	return nil
}

func (r *run) questions(ctx context.Context) error {
	const folder = "questions"
	b, err := r.open(ctx, folder)
	if err != nil {
		return err
	}
	defer b.Close()
	begun := new(keys)
	a := &asker{
		Bucket: begun.watch(r.requests.count(b), ""), requests: &r.requests, uploads: begun,
		bucket: r.bucket(), prefix: r.prefix(folder),
	}
	a.features = a.Features()
	all, err := questionsFor(a, b, settingsOf(r.report.Settings))
	if err != nil {
		return err
	}
	for _, q := range all {
		if ctx.Err() != nil {
			break
		}
		got := a.answer(ctx, q)
		if ctx.Err() != nil {
			break // the store has not answered
		}
		r.Log("%-28s %s", got.Name, got.said())
		r.report.Answers = append(r.report.Answers, got)
	}
	for _, key := range begun.list() {
		r.uploads.add(folder + "/" + key)
	}
	return nil
}

// questionsFor are the questions to a store. b is the driver's own bucket.
func questionsFor(a *asker, b driver.Bucket, settings map[string]string) ([]question, error) {
	if client, ok := lend.From[*s3.Client](b); ok {
		return s3Asker{a, client, settings}.questions(), nil
	}
	if client, ok := lend.From[*storage.ObjectsService](b); ok {
		return gcsAsker{a, client}.questions(), nil
	}
	if client, ok := lend.From[*container.Client](b); ok {
		return azureAsker{a, client}.questions(), nil
	}
	return nil, fmt.Errorf("%s lends no client: want s3://, gs:// or azblob://: %w", a.features.Name, driver.Unsupported)
}

func settingsOf(all []driver.Setting) map[string]string {
	values := make(map[string]string, len(all))
	for _, s := range all {
		values[s.Name] = s.Value
	}
	return values
}

// registryParts is the size of the parts that the registry's pushes have, where the store
// takes such: small, so that a push of some MiB has several.
const registryParts = 5 << 20

func (r *run) registry(ctx context.Context) error {
	const folder = "registry"
	f := r.report.Features
	c := newCluster(func(ctx context.Context) (driver.Bucket, error) {
		b, err := r.open(ctx, folder)
		if err != nil {
			return nil, err
		}
		return r.uploads.watch(r.requests.count(b), folder+"/"), nil
	}, max(f.Parts.MinSize, registryParts))
	return rehearse(ctx, c, f, &r.requests, func(s Step) {
		r.Log("%-37s %s", s.Name, s.said())
		r.report.Steps = append(r.report.Steps, s)
	})
}

func (r *run) conformance(ctx context.Context) (err error) {
	if len(r.Suite) == 0 {
		return nil
	}
	r.report.Clauses, r.report.SuiteSaid, err = runSuite(ctx, r.Suite, r.at("conformance").String())
	if err == nil && len(r.report.Clauses) == 0 {
		err = errors.New("the suite ran no test")
	}
	return err
}
