// Command start runs an emulator of each cloud until it is interrupted, to try blobdock on
// without an account anywhere:
//
//	go run ./integration/emulator/start
//
// It prints what a shell needs to reach them. All of it is on the loopback interface, the
// credentials are public or made up, and nothing is kept.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/blobdock/blobdock/integration/emulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	s3, stopS3, err := emulator.LaunchS3(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopS3()) }()
	gcs, stopGCS, err := emulator.LaunchGCS(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopGCS()) }()
	azure, stopAzure, err := emulator.LaunchAzure(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopAzure()) }()
	dir, err := os.MkdirTemp("", "blobdock-emulators-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	account, stopTokens, err := serviceAccount(ctx, dir)
	if err != nil {
		return err
	}
	defer stopTokens()

	for _, v := range [][2]string{
		{"AWS_ENDPOINT_URL_S3", s3.Endpoint}, {"AWS_REGION", s3.Region},
		{"AWS_ACCESS_KEY_ID", s3.AccessKey}, {"AWS_SECRET_ACCESS_KEY", s3.SecretKey},
		{"STORAGE_EMULATOR_HOST", strings.TrimPrefix(gcs.Endpoint, "http://")}, {"SERVICE_ACCOUNT", account},
		{"AZURE_STORAGE_CONNECTION_STRING", "DefaultEndpointsProtocol=http;AccountName=" + azure.Account +
			";AccountKey=" + azure.Key + ";BlobEndpoint=" + azure.Endpoint},
	} {
		fmt.Fprintf(out, "export %s='%s'\n", v[0], v[1])
	}
	<-ctx.Done()
	return nil
}

// serviceAccount makes up a Google service account, so that there is a key to sign URLs
// with, and a server that gives tokens for it. fake-gcs-server takes any.
func serviceAccount(ctx context.Context, dir string) (file string, stop func(), err error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", nil, err
	}
	var listen net.ListenConfig
	ln, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"token","token_type":"Bearer","expires_in":3600}`)
	})}
	go func() { _ = srv.Serve(ln) }()
	stop = func() { _ = srv.Close() }
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "blobdock", "private_key_id": "1", "client_id": "1",
		"client_email": "blobdock@blobdock.iam.gserviceaccount.com", "token_uri": "http://" + ln.Addr().String(),
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err == nil {
		file = filepath.Join(dir, "service-account.json")
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		stop()
		return "", nil, err
	}
	return file, stop, nil
}
