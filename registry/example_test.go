package registry_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/empty"

	_ "github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/registry"
)

// Distribution's registry in a program of one's own.
func ExamplePrepare() {
	config, err := configuration.Parse(strings.NewReader(`
version: 0.1
log:
  level: error
storage:
  blobdock:
    url: mem://prepare
http:
  secret: the-same-on-all-replicas
`))
	if err != nil {
		log.Fatal(err)
	}
	if err := registry.Prepare(config); err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	app := handlers.NewApp(ctx, config)
	defer func() { _ = app.Shutdown() }()
	srv := httptest.NewServer(registry.Handler(config, app))
	defer srv.Close()

	image := strings.TrimPrefix(srv.URL, "http://") + "/team/app:v1"
	if err := crane.Push(empty.Image, image); err != nil {
		log.Fatal(err)
	}
	digest, err := crane.Digest(image)
	fmt.Println(strings.HasPrefix(digest, "sha256:"), err)
	// Output: true <nil>
}
