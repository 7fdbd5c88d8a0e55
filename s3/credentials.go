package s3

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// sessionName is what CloudTrail shows for requests under an assumed role.
const sessionName = "blobdock"

// awsConfig is the SDK's own configuration with c's credentials put over it. It
// makes no request: credentials are fetched when the first call needs them.
func (c Config) awsConfig(ctx context.Context, client *awshttp.BuildableClient) (aws.Config, error) {
	if c.CredentialsFile != "" || !c.Anonymous && c.AccessKeyID == "" && os.Getenv("AWS_ACCESS_KEY_ID") == "" {
		if err := checkEncoding(c.sharedCredentials()); err != nil {
			return aws.Config{}, err
		}
	}
	load := []func(*config.LoadOptions) error{config.WithHTTPClient(client)}
	if c.Region != "" {
		load = append(load, config.WithRegion(c.Region))
	}
	section := c.AWSProfile
	if c.CredentialsFile != "" {
		if _, err := os.Stat(c.CredentialsFile); err != nil {
			return aws.Config{}, fmt.Errorf("credentials_file: %w: %w", err, driver.Invalid)
		}
		load = append(load, config.WithSharedCredentialsFiles([]string{c.CredentialsFile}))
		// A section that is asked for goes before AWS_ACCESS_KEY_ID, one that is
		// merely found does not.
		section = cmp.Or(section, config.DefaultSharedConfigProfile)
	}
	if section != "" {
		load = append(load, config.WithSharedConfigProfile(section))
	}
	switch {
	case c.Anonymous:
		load = append(load, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	case c.AccessKeyID != "":
		load = append(load, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)))
	}
	conf, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("AWS configuration: %w: %w", err, driver.Invalid)
	}
	if !c.Anonymous && c.AccessKeyID == "" {
		// Version 1 of the metadata service answers whoever can make the host send a
		// request. The client takes its other settings from what was just loaded.
		// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
		metadata := imds.NewFromConfig(conf, func(o *imds.Options) { o.EnableFallback = aws.FalseTernary })
		load = append(load, config.WithEC2RoleCredentialOptions(func(o *ec2rolecreds.Options) { o.Client = metadata }))
		if conf, err = config.LoadDefaultConfig(ctx, load...); err != nil {
			return aws.Config{}, fmt.Errorf("AWS configuration: %w: %w", err, driver.Invalid)
		}
	}
	if conf.Credentials != nil && !c.Anonymous {
		conf.Credentials = trimmed{conf.Credentials}
	}
	if c.RoleARN != "" {
		conf.Credentials = c.role(conf)
	}
	return conf, nil
}

// trimmed are credentials without what files and variables leave at their ends.
type trimmed struct{ aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (t trimmed) Retrieve(ctx context.Context) (aws.Credentials, error) {
	got, err := t.CredentialsProvider.Retrieve(ctx)
	got.AccessKeyID, got.SecretAccessKey, got.SessionToken = driver.TrimSecret(got.AccessKeyID), driver.TrimSecret(got.SecretAccessKey), driver.TrimSecret(got.SessionToken)
	return got, err
}

// checkEncoding returns an error for a file of credentials that the SDK would find nothing in: it
// knows no byte order marks.
func checkEncoding(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return nil // the SDK's to tell, where it needs the file
	}
	defer f.Close()
	var begin [3]byte
	n, _ := io.ReadFull(f, begin[:])
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if strings.HasPrefix(string(begin[:n]), mark) {
			return fmt.Errorf("%s begins with a byte order mark: save it as UTF-8 without one: %w", path, driver.Invalid)
		}
	}
	return nil
}

// sharedCredentials is the path of the file with credentials, which need not exist.
func (c Config) sharedCredentials() string {
	return cmp.Or(c.CredentialsFile, os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), config.DefaultSharedCredentialsFilename())
}

// keyring loads the configuration with each fetch, as its files may have been replaced.
func (c Config) keyring() *keyring {
	return &keyring{files: cloud.NewFiles(c.sharedCredentials()), fetch: func(ctx context.Context) (aws.Credentials, error) {
		client, err := c.httpClient()
		if err != nil {
			return aws.Credentials{}, err
		}
		conf, err := c.awsConfig(ctx, client)
		if err != nil {
			return aws.Credentials{}, err
		}
		defer client.GetTransport().CloseIdleConnections()
		return conf.Credentials.Retrieve(ctx)
	}}
}

// role assumes c.RoleARN with the credentials of conf.
func (c Config) role(conf aws.Config) aws.CredentialsProvider {
	if conf.Region == "" {
		conf.Region = "us-east-1" // any region's service knows every role
	}
	client := sts.NewFromConfig(conf, func(o *sts.Options) {
		if c.STSEndpoint != "" {
			o.BaseEndpoint = aws.String(c.STSEndpoint)
		}
	})
	return stscreds.NewAssumeRoleProvider(client, c.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = sessionName
		o.Duration = c.RoleDuration // 0 is the SDK's 15 minutes
		if c.ExternalID != "" {
			o.ExternalID = aws.String(c.ExternalID)
		}
	})
}
