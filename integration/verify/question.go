package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// Verdict compares an answer with what blobdock takes for granted.
type Verdict string

const (
	Agrees     Verdict = "agrees"
	Differs    Verdict = "differs"
	Unused     Verdict = "not relied on" // blobdock works with any answer
	Unanswered Verdict = "not answered"  // the question could not be asked
)

// Answer is what a store answered to a question.
type Answer struct {
	Name     string // of the question
	Asks     string // the question
	Found    string // the answer in a word or two
	Detail   string // figures
	Status   int    // of the reply that decides; 0 is none
	Code     string // the store's error code
	Assumed  string // what blobdock takes for granted; "" is nothing
	Verdict  Verdict
	Requests int64
	Took     time.Duration
	Err      error // of an unanswered question
}

// question is one thing that documents leave open.
type question struct {
	name string
	asks string // one sentence
	// assumes is the answer that blobdock takes for granted; "" is none.
	assumes string
	// ask finds the answer. Its objects lie in the folder key.
	ask func(ctx context.Context, key string) (finding, error)
}

// finding is a question's answer before it is compared.
type finding struct {
	found, detail string
	status        int
	code          string
}

// Words for findings that several questions have.
const (
	accepted = "accepted"
	refused  = "refused"
	honoured = "honoured"
	ignored  = "ignored"
)

// questionTime bounds one question.
const questionTime = 3 * time.Minute

// asker puts questions to a store.
type asker struct {
	driver.Bucket // counts, and repeats nothing
	features      driver.Features
	requests      *requests
	// bucket and prefix are how the SDK's own client names what Bucket names by a key.
	bucket, prefix string
	// uploads are the keys of the uploads that were begun by the SDK's own client.
	uploads *keys
}

// full is a key as the store knows it.
func (a *asker) full(key string) string { return a.prefix + key }

// answer asks one question.
func (a *asker) answer(ctx context.Context, q question) Answer {
	ctx, cancel := context.WithTimeout(ctx, questionTime)
	defer cancel()
	began, before := time.Now(), a.requests.sent.Load()
	f, err := q.ask(ctx, q.name)
	got := Answer{
		Name: q.name, Asks: q.asks, Assumed: q.assumes,
		Found: f.found, Detail: f.detail, Status: f.status, Code: f.code,
		Requests: a.requests.sent.Load() - before, Took: time.Since(began),
	}
	switch {
	case err != nil:
		got.Verdict, got.Err, got.Found = Unanswered, err, ""
	case q.assumes == "":
		got.Verdict = Unused
	case q.assumes == f.found:
		got.Verdict = Agrees
	default:
		got.Verdict = Differs
	}
	return got
}

func section(data []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
}

// put stores text at a key, and repeats the Put while the store throttles it.
func (a *asker) put(ctx context.Context, key, text string) (driver.Object, error) {
	var obj driver.Object
	r := a.ask(ctx, func(ctx context.Context) (err error) {
		obj, err = a.Put(ctx, key, section([]byte(text)), driver.WriteOptions{})
		return err
	})
	return obj, r.err
}

// content reads the object at a key, "" when there is none.
func (a *asker) content(ctx context.Context, key string) (string, error) {
	rd, err := a.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
	switch {
	case errors.Is(err, driver.NotFound):
		return "", nil
	case err != nil:
		return "", err
	}
	defer rd.Close()
	text, err := io.ReadAll(rd)
	if err != nil {
		return "", fmt.Errorf("read %q: %w", key, err)
	}
	return string(text), nil
}
