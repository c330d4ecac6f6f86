"""Tests of launch/, as far as is possible without the services."""
