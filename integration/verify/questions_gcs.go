package verify

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/driver"
)

// gcsAsker puts questions to Google Cloud Storage, by the JSON API's client where the
// driver would not ask.
type gcsAsker struct {
	*asker
	client *storage.ObjectsService
}

func (a gcsAsker) questions() []question {
	all := a.allQuestions("different")
	all = append(all, a.clock(func(ctx context.Context, key string) error {
		_, err := a.client.Get(a.bucket, a.full(key)).Context(ctx).Do()
		return err
	}))
	for _, w := range a.driverWrites() {
		all = append(all, w.questions(a.asker)...)
	}
	return append(all,
		a.deleteIf("What does ifGenerationMatch do on a deletion?", honoured, a.deleteMatching),
		question{"compose-source-generation", "What does ifGenerationMatch do on a source of compose?", honoured, a.sourceGeneration},
		question{"compose-delete-sources", "What does deleteSourceObjects do on compose?", honoured, a.deleteSources},
		question{"soft-delete", "Does a deleted object stay, to be restored and billed?", "", a.softDelete},
	)
}

func (a gcsAsker) deleteMatching(ctx context.Context, key, etag string) reply {
	generation, err := strconv.ParseInt(etag, 10, 64)
	if err != nil {
		return reply{err: fmt.Errorf("the ETag %q is no generation", etag)}
	}
	return a.call(ctx, func(ctx context.Context) error {
		return a.client.Delete(a.bucket, a.full(key)).IfGenerationMatch(generation).Context(ctx).Do()
	})
}

// compose joins two objects, of which the second must have the generation.
func (a gcsAsker) compose(ctx context.Context, key string, generation func(second int64) int64, consume bool) reply {
	var sources []*storage.ComposeRequestSourceObjects
	for _, name := range []string{"/one", "/two"} {
		obj, err := a.put(ctx, key+name, name)
		if err != nil {
			return replyOf(err)
		}
		g, err := strconv.ParseInt(obj.ETag, 10, 64)
		if err != nil {
			return reply{err: fmt.Errorf("the ETag %q is no generation", obj.ETag)}
		}
		s := &storage.ComposeRequestSourceObjects{Name: a.full(key + name)}
		if name == "/two" {
			s.ObjectPreconditions = &storage.ComposeRequestSourceObjectsObjectPreconditions{IfGenerationMatch: generation(g)}
		}
		sources = append(sources, s)
	}
	return a.call(ctx, func(ctx context.Context) error {
		_, err := a.client.Compose(a.bucket, a.full(key+"/joined"), &storage.ComposeRequest{
			Destination: &storage.Object{ContentType: "text/plain"}, SourceObjects: sources, DeleteSourceObjects: consume,
		}).Context(ctx).Do()
		return err
	})
}

func (a gcsAsker) sourceGeneration(ctx context.Context, key string) (finding, error) {
	f, err := a.compose(ctx, key, func(g int64) int64 { return g + 1 }, false).finding(ignored)
	if f.found == refused {
		f.found = honoured
	}
	return f, err
}

func (a gcsAsker) deleteSources(ctx context.Context, key string) (finding, error) {
	f, err := a.compose(ctx, key, func(g int64) int64 { return g }, true).finding(honoured)
	if err != nil || f.found != honoured {
		return f, err
	}
	text, err := a.content(ctx, key+"/one")
	if text != "" {
		f.found = ignored
	}
	return f, err
}

// softDelete looks for what it has deleted, which takes storage.objects.restore.
// https://cloud.google.com/storage/docs/use-soft-deleted-objects
func (a gcsAsker) softDelete(ctx context.Context, key string) (finding, error) {
	key += "/object"
	if _, err := a.put(ctx, key, "text"); err != nil {
		return finding{}, err
	}
	if r := a.ask(ctx, func(ctx context.Context) error { return a.Delete(ctx, key, driver.DeleteOptions{}) }); r.err != nil {
		return finding{}, r.err
	}
	found := "no"
	r := a.call(ctx, func(ctx context.Context) error {
		got, err := a.client.List(a.bucket).Prefix(a.full(key)).SoftDeleted(true).Context(ctx).Do()
		if err == nil && len(got.Items) > 0 {
			found = versionsKept
		}
		return err
	})
	if r.status == http.StatusForbidden {
		found, r.err = "not to be seen with these permissions", nil
	}
	return r.finding(found)
}
