package s3

import (
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/blobdock/blobdock/internal/cloud"
)

// httpClient is the client that the SDK configures further: with AWS_CA_BUNDLE
// set it refuses any other type.
func (c Config) httpClient() (*awshttp.BuildableClient, error) {
	configure, err := cloud.Configure(c.Network)
	if err != nil {
		return nil, err
	}
	return awshttp.NewBuildableClient().WithTransportOptions(configure), nil
}
