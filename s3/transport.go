package s3

import (
	"crypto/tls"
	"fmt"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// httpClient is the client that the SDK configures further: with AWS_CA_BUNDLE
// set it refuses any other type.
func (c Config) httpClient() (*awshttp.BuildableClient, error) {
	configure, err := cloud.Configure(c.Network)
	if err != nil {
		return nil, err
	}
	var own []tls.Certificate
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("cert_file and key_file: %w: %w", err, driver.Invalid)
		}
		own = []tls.Certificate{cert}
	}
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		configure(t)
		t.TLSClientConfig.Certificates = own
	}), nil
}
