package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// allQuestions are for every store. etags is what blobdock takes for granted of the ETags
// of equal bytes.
func (a *asker) allQuestions(etags string) []question {
	all := []question{
		{"put-rate", "How many writes to one key does the store take in a row, and per second?", notThrottled, a.putRate},
		{"delete-rate", "Does a deletion count as a write of the key?", notThrottled, a.deleteRate},
		{"put-race", fmt.Sprintf("What do %d writers that meet at one key get?", racers), "all accepted", a.putRace},
		{"etag-of-equal-bytes", "Do equal bytes, written again, get an equal ETag (generation)?", etags, a.etags},
		{"head-missing", "What does a HEAD of a missing key answer?", "404", a.headMissing},
	}
	if a.features.Conds.Put.Allows(driver.Cond{IfAbsent: true}) {
		all = append(all, question{
			"put-race-absent", fmt.Sprintf("What do %d writers with If-None-Match: * that meet at one key get?", racers), "1 wins", a.absentRace,
		})
	}
	if a.features.Sign == nil {
		return all
	}
	suffix := ""
	if a.features.SuffixRange {
		suffix = honoured
	}
	return append(all,
		question{"signed-get", "Does a signed URL work without further credentials?", accepted, a.signedGet},
		question{"suffix-range", "What does Range: bytes=-7 do on a signed URL?", suffix, a.suffixRange},
	)
}

func (a *asker) etags(ctx context.Context, key string) (finding, error) {
	first, err := a.put(ctx, key+"/object", "equal")
	if err != nil {
		return finding{}, err
	}
	second, err := a.put(ctx, key+"/object", "equal")
	if err != nil {
		return finding{}, err
	}
	f := finding{found: "different"}
	if first.ETag == second.ETag {
		f.found = "equal"
	}
	return f, nil
}

func (a *asker) headMissing(ctx context.Context, key string) (finding, error) {
	_, err := a.Stat(ctx, key+"/missing")
	if err == nil {
		return finding{}, errors.New("a key that nobody wrote is there")
	}
	r := replyOf(err)
	if r.status == 0 {
		return finding{}, r.failure()
	}
	return finding{found: fmt.Sprint(r.status), status: r.status, code: r.code}, nil
}

const signedText = "fetched by a signed URL"

func (a *asker) signed(ctx context.Context, key string) (driver.SignedURL, error) {
	key += "/object"
	if _, err := a.put(ctx, key, signedText); err != nil {
		return driver.SignedURL{}, err
	}
	return a.features.Sign(ctx, driver.SignRequest{Method: http.MethodGet, Key: key, Expires: 5 * time.Minute})
}

func (a *asker) signedGet(ctx context.Context, key string) (finding, error) {
	u, err := a.signed(ctx, key)
	if err != nil {
		return finding{}, err
	}
	r, body := a.fetch(ctx, u, nil)
	switch {
	case r.err == nil && string(body) == signedText:
		return finding{found: accepted, status: r.status}, nil
	case r.err == nil:
		return finding{found: "other content", status: r.status}, nil
	case r.status == 0:
		return finding{}, r.failure()
	}
	return finding{found: refused, status: r.status, code: r.code}, nil // here 403 is an answer
}

func (a *asker) suffixRange(ctx context.Context, key string) (finding, error) {
	u, err := a.signed(ctx, key)
	if err != nil {
		return finding{}, err
	}
	// Without a range it works, so that no answer at all is one to the range.
	if r, _ := a.fetch(ctx, u, nil); r.err != nil {
		return finding{}, r.failure()
	}
	const n = 7
	r, body := a.fetch(ctx, u, http.Header{"Range": {fmt.Sprintf("bytes=-%d", n)}})
	if r.status == 0 && ctx.Err() == nil {
		return finding{found: "no valid reply", detail: cloud.Reason(r.err)}, nil
	}
	f, err := r.finding("")
	switch {
	case err != nil || f.found == refused:
		return f, err
	case string(body) == signedText:
		f.found = ignored
	case string(body) == signedText[len(signedText)-n:]:
		f.found = honoured
	default:
		f.found = "other bytes"
	}
	return f, nil
}

// clockSkew is what still leaves room to the 15 minutes that stores take.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (RequestTimeTooSkewed)
const clockSkew = 5 * time.Minute

// clock is the question on the store's clock. send makes any request.
func (a *asker) clock(send func(ctx context.Context, key string) error) question {
	within := fmt.Sprintf("within %v", clockSkew)
	return question{"clock", "How far is the store's clock from this machine's?", within, func(ctx context.Context, key string) (finding, error) {
		began := time.Now()
		r := a.call(ctx, func(ctx context.Context) error { return send(ctx, key+"/missing") })
		middle := began.Add(time.Since(began) / 2)
		date, err := http.ParseTime(r.header.Get("Date"))
		if err != nil {
			return finding{}, fmt.Errorf("no Date in the reply (%v)", r)
		}
		// A Date has whole seconds, the rest of which is cut off.
		off := date.Add(time.Second / 2).Sub(middle).Round(time.Second)
		f := finding{found: within, detail: fmt.Sprintf("%v", off)}
		if off.Abs() > clockSkew {
			f.found = fmt.Sprintf("off by %v", off.Abs())
		}
		return f, nil
	}}
}
