"""What of a balancer's headers is believed, and what is not a scheme, a host or a prefix."""

import pytest

from celaje.common.wsgi.proxy_headers import ProxyHeaders


def seen(**headers):
    environ = {"wsgi.url_scheme": "http", "HTTP_HOST": "10.0.0.1:5000", "SCRIPT_NAME": "", **headers}
    ProxyHeaders(lambda environ, start: [])(environ, None)
    return environ["wsgi.url_scheme"], environ["HTTP_HOST"], environ["SCRIPT_NAME"]


PLAIN = ("http", "10.0.0.1:5000", "")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, PLAIN),
        ({"HTTP_X_FORWARDED_PROTO": "https"}, ("https", "10.0.0.1:5000", "")),
        ({"HTTP_X_FORWARDED_PROTO": "https, http"}, ("https", "10.0.0.1:5000", "")),
        ({"HTTP_X_FORWARDED_HOST": "cloud.example:5000, inner"}, ("http", "cloud.example:5000", "")),
        ({"HTTP_X_FORWARDED_HOST": "[2001:db8::1]:5000"}, ("http", "[2001:db8::1]:5000", "")),
        ({"HTTP_X_FORWARDED_PREFIX": "/identity/"}, ("http", "10.0.0.1:5000", "/identity")),
        (
            {"HTTP_FORWARDED": 'for=1.2.3.4;Proto=https;host="cloud.example:5000", proto=http;host=inner'},
            ("https", "cloud.example:5000", ""),
        ),
        (
            {"HTTP_FORWARDED": "for=1.2.3.4", "HTTP_X_FORWARDED_PROTO": "https"},
            ("https", "10.0.0.1:5000", ""),
        ),
        ({"HTTP_X_FORWARDED_PROTO": "javascript"}, PLAIN),
        ({"HTTP_X_FORWARDED_HOST": "evil.example/<script>"}, PLAIN),
        ({"HTTP_X_FORWARDED_PREFIX": "//evil.example"}, PLAIN),
        ({"HTTP_FORWARDED": ";;=,"}, PLAIN),
    ],
)
def test_what_is_believed(headers, expected):
    assert seen(**headers) == expected
